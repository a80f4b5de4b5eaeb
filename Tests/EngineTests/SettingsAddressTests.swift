import Testing

@testable import Engine

@Suite("IP addresses")
struct SettingsAddressTests {
    @Test(
        "addresses and subnets that PocketBase takes are entries of a list",
        arguments: [
            "127.0.0.1", "127.0.0.1/8", "::1", "::1/128", "::ffff:1.2.3.4", "::ffff:1.2.3.4/96", "fe80::1%eth0",
            "fe80::1%eth0/64", "::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
            "0.0.0.0/0", "::/0", "1.2.3.4/32", "::2:3:4:5:6:7:8",
        ])
    func accepts(_ text: String) { #expect(IPList.isEntry(text)) }

    @Test(
        "what PocketBase refuses is no entry of a list",
        arguments: [
            "", "x", "127.0.0.1/33", "127.0.0.1/", "1.2.3", "01.2.3.4", "1.2.3.4/08", "1.2.3.4/+8", "::1/129",
            "fe80::1%", "1.2.3.4%eth0", "[::1]", " ::1", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9", "::1.2.3.256",
            "1:2:3:4:5:6:7:1.2.3.4", ":::1", "1:", "::g", "256.1.1.1", "1.2.3.4.5", "1.2.3.4/8/8",
            "1:2:3:4:5:6:7:8::", "1::2:3:4:5:6:7:8", "00001::", "/8", "1.2.3.4/99999999999999999999", "%", ".", ":",
        ])
    func refuses(_ text: String) { #expect(!IPList.isEntry(text)) }

    @Test(
        "IPv6 is shown with all its zeros",
        arguments: [
            ("127.0.0.1", "127.0.0.1"), ("2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001"),
            ("::ffff:1.2.3.4", "0000:0000:0000:0000:0000:ffff:0102:0304"),
            ("fe80::1%eth0", "fe80:0000:0000:0000:0000:0000:0000:0001%eth0"),
            ("FE80::A", "fe80:0000:0000:0000:0000:0000:0000:000a"),
            ("255.254.0.9", "255.254.0.9"),
        ])
    func expands(_ text: String, _ expanded: String) { #expect(IPAddress(text)?.expanded == expanded) }

    @Test("a peer that came over IPv4 is shown so, whatever the socket was")
    func unmapsPeers() {
        #expect(IPAddress.ofPeer("::ffff:127.0.0.1") == "127.0.0.1")
        #expect(IPAddress.ofPeer("::1") == "0000:0000:0000:0000:0000:0000:0000:0001")
        #expect(IPAddress.ofPeer("") == "invalid IP")
    }

    @Test("a list holds its addresses and what its subnets hold")
    func contains() {
        let list = IPList(["10.0.0.0/8", "192.168.1.7", "2001:db8::/33", "::1"])
        for text in ["10.255.0.1", "192.168.1.7", "2001:db8:7fff::1", "::1", "0:0:0:0:0:0:0:1"] {
            #expect(list.contains(text), "\(text)")
        }
        for text in ["11.0.0.1", "192.168.1.8", "2001:db8:8000::1", "::2", "::ffff:10.0.0.1", "10.0.0.1%x", "", "x"] {
            #expect(!list.contains(text), "\(text)")
        }
    }

    @Test("the widest and the narrowest subnets")
    func limits() {
        #expect(IPList(["0.0.0.0/0"]).contains("255.1.2.3"))
        #expect(!IPList(["0.0.0.0/0"]).contains("::1"))
        #expect(IPList(["::/0"]).contains("ffff::"))
        #expect(IPList(["1.2.3.4/32"]).contains("1.2.3.4"))
        #expect(!IPList(["1.2.3.4/32"]).contains("1.2.3.5"))
        #expect(IPList(["1::2/64"]).contains("1::ffff"))
        #expect(!IPList(["1::2/128"]).contains("1::3"))
        #expect(!IPList(["fe80::/10"]).contains("fe80::1%eth0"))
    }

    @Test("a list of nonsense is not empty and holds nobody")
    func nonsense() {
        #expect(!IPList(["x"]).isEmpty)
        #expect(!IPList(["x"]).contains("1.2.3.4"))
        #expect(IPList([]).isEmpty)
    }

    private func realIP(_ proxy: Settings.TrustedProxy, _ headers: [String: String]) -> String {
        proxy.realIP(remoteIP: "127.0.0.1") { headers[$0.lowercased()] }
    }

    @Test("no header is trusted unless the settings say so")
    func trustsNothing() {
        #expect(realIP(.init(), ["x-forwarded-for": "1.1.1.1"]) == "127.0.0.1")
    }

    @Test(
        "a trusted header tells the client's address",
        arguments: [
            ("1.1.1.1, 2.2.2.2", "2.2.2.2", "1.1.1.1"), ("3.3.3.3, x", "3.3.3.3", "3.3.3.3"),
            ("x, ,2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:0db8:0000:0000:0000:0000:0000:0001"),
            ("1.1.1.1:80", "127.0.0.1", "127.0.0.1"), ("01.1.1.1", "127.0.0.1", "127.0.0.1"),
            ("", "127.0.0.1", "127.0.0.1"), (" \t1.1.1.1 ", "1.1.1.1", "1.1.1.1"),
        ])
    func readsHeader(_ value: String, _ rightmost: String, _ leftmost: String) {
        let headers = ["x-forwarded-for": value]
        #expect(realIP(.init(headers: ["X-Forwarded-For"]), headers) == rightmost)
        #expect(realIP(.init(headers: ["X-Forwarded-For"], useLeftmostIP: true), headers) == leftmost)
    }

    @Test("the next trusted header is asked when one tells no address")
    func asksNextHeader() {
        let proxy = Settings.TrustedProxy(headers: ["X-Forwarded-For", "CF-Connecting-IP"])
        #expect(realIP(proxy, ["x-forwarded-for": "bad", "cf-connecting-ip": "5.5.5.5"]) == "5.5.5.5")
    }
}
