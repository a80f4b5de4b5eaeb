import Testing

@testable import Engine

/// What PocketBase 0.40.6 answered for these texts as `meta.appURL`, `meta.senderAddress` and `smtp.host`.
private let acceptedURLs = [
    "example.com", "localhost:8090", "http://localhost:8090", "ftp://x.com", "http://a_b.com",
    "http://127.0.0.1:99999", "http://[::1]:80", "https://x.com/path?q=1#f", "http://x", "mailto:a@b.co",
    "http://x.com.", "http://user:pw@x.com", "https://例え.jp", "http://x.com:0", "abc.c", "http://x.com/<script>",
    "xx.y.zz", "example.com.au", "example.co.uk", "a.b.c.example.com", "www.a.b", "www.example.com", "www.x",
    "http://www.", "ws://a.b", "wss://a.bc", "tcp://10.0.0.1", "udp://10.0.0.256", "http://230.1.1.11",
    "http://255.255.255.255", "http://x.com:80/", "http://x.com:80?x", "http://x.com/%41", "http://x.com?%zz",
    "http://u@v@x.com", "http://u/v@x.com", "u@x.com", "u:p@x.com", "custom://u@x.com", "http://[::1]",
    "http://[fe80::1%25en0]", "http://x--y.com", "http://x---y.com", "http://xx---yy.com", "http://a-b-c.d-e-f.com",
    "http://foo.bar1", "http://é.com", "http://é.é", "http://x.com/\u{A0}", "1.2.3.4:80", "[::1]:80", "[::1]",
    "x.com:80", "http://x.com/ü", "http://@x.com", "http://\u{FFFF}.com", "https://x.com//y", "http://a--b.c.de",
    "http://ab_cd.ef.gh", "http://ab.cd_ef.gh", "http://ab.c.de", "http://a1.b2.c3", "http://a1.b2.c3d", "3com.com",
    "http://1.1.1.1.", "http://localhost.", "http://LOCALHOST", "http://x/:80", "http://x.com:00080", "ab.c",
    "a.bc", "aaa.b", "http://x.com/a\\b", "http://[::ffff:1.2.3.4]", "[1::]", "http://[1:2:3:4:5:6:7:8]",
]

private let refusedURLs = [
    "x", "localhost", "http://", "//x.com", "javascript:alert(1)", "http://a b.com", "/path", " http://x.com",
    "http://-x.com", "http://x-.com", "x.y.z", "http://.com", "http://x..com", "http://x.com:123456",
    "custom://x.com", "HTTP://X.COM", "http://x.com/a b", "xx.y.z", "a.b.cc", "http://0.0.0.0", "http://230.1.1.1",
    "http://224.0.0.1", "http://239.1.1.1", "http://1.2.3", "http://1.2.3.4.5", "http://x.com:abc", "http://x.com:",
    "http://x.com#%zz", "http://x.com/%zz", "http://%41.com", "http://u%zz@x.com", "http://[::1",
    "http://[1.2.3.4]", "http://[zz]", "http://x_y", "http://x_", "http://_x", "http://xy_.com", "http://x---y",
    "http://x.c0m", "http://x.1", "http://xx.1", "http://é.é.é", "http://aé.bé.com", "http://x.com\u{1}",
    "http://x.com/\u{B}", "http:/x.com", "http:x.com", "http:///x.com", "///x.com.d", "a:b:c", "::1.com",
    "ftps://x.com", "http://user@", "http://😀.com", "?x.com", "#x.com", "x.com?a b", "x.com#a b", "http://a.b-c.de",
    "http://a.b--c.de", "http://x.com..", "http://lo:calhost:80", "http://x:80:80", "http://$x.com", "abcd",
    "a.b1c", "http://b%C3%BC.de", "http://xy_.z.com", "http://x~y.com", "http://x\\y.com", "http://x.com;a",
    "http://x,y.com", "http://[1.2.3.4]:80", "http://[fe80::1%en0]", "http://[1:2:3:4:5:6:1.2.3.4]",
]

private let acceptedEmails = [
    "a@b.co", "a@b.c", "é@b.co", "a@é.com", "\"a\"@b.co", "A@B.CO", "a@b_c.co", "a+b@c.co", "a@b..c.co",
    String(repeating: "x", count: 65) + "@b.co", "a@b.co.", "\"@b.co", "!#$%&'*+-/=?^_`{|}~@b.co", "a@b~c.co",
    "a@b.c-d", "a@b.c0d", "a@0.com", "a@b.c_d", "a\u{A0}b@c.co", "a@b.c\u{A0}", "a@xn--a.co", "a@x.y.z", "a@ü.ü",
    "\"(a\"@c.co", "\"()\"@b.co", "\"a\",\"b\"@c.co", "\"<\"@b.co",
]

private let refusedEmails = [
    "x", "a@b", "a b@c.co", "Name <a@b.co>", "a@localhost", "a..b@c.co", "a@b.co ", "a@-b.co", "a@b-.co", "a@_b.co",
    "a@1.2.3.4", "a@[1.2.3.4]", "test.@c.co", ".t@c.co", "a@b..co", "a@b.co..", "a@.co", "@b.co", "a@", "a@b@c.co",
    "\"a b\"@c.co", "\"a\\\"b\"@c.co", "\"a@b\"@c.co", "\"\"@b.co", "a\"b@c.co", "a@b.c0", "a@b.0c", "a@b c.co",
    "a(c)@b.co", "😀@b.co", "a@😀.co", "a\u{A}@b.co", "a,b@c.co", "a@b,c.co", "<a@b.co>", "\"a\u{9}b\"@c.co",
    "a@b.ü1", "a@-.co", "a@b.-co", "\"a@b.co", "\"ab\"@b.co", "(@b.co",
]

private let acceptedHosts = [
    "x", "x_y", "x-", "a.b.", "a.b_", "127.0.0.1", "::1", String(repeating: "a", count: 63),
    String(repeating: "a", count: 63) + "_", String(repeating: "a", count: 63) + ".",
    Array(repeating: String(repeating: "a", count: 51), count: 5).joined(separator: "."), "256.1.1.1", "1.2.3",
    "_a", "_", "a.", "__", "a._", "a.b__", "::ffff:1.2.3.4", "01.2.3.4", "a_.b",
]

private let refusedHosts = [
    "-x", "a..b", "[::1]", "fe80::1%eth0", "x:25", "é.com", "a b", String(repeating: "a", count: 64),
    Array(repeating: String(repeating: "a", count: 50), count: 6).joined(separator: "."),
    Array(repeating: String(repeating: "a", count: 51), count: 5).joined(separator: ".") + "b", "a.-b", "http://x",
    "-", ".", "1::2::3", "a.b..",
]

@Suite("Formats of settings")
struct SettingsFormatTests {
    @Test("URLs that PocketBase takes are valid", arguments: acceptedURLs)
    func acceptsURL(_ text: String) { #expect(WebAddress.isValid(text)) }

    @Test("URLs that PocketBase refuses are not valid", arguments: refusedURLs)
    func refusesURL(_ text: String) { #expect(!WebAddress.isValid(text)) }

    @Test("e-mail addresses that PocketBase takes are valid", arguments: acceptedEmails)
    func acceptsEmail(_ text: String) { #expect(TextFormats.isEmail(text)) }

    @Test("e-mail addresses that PocketBase refuses are not valid", arguments: refusedEmails)
    func refusesEmail(_ text: String) { #expect(!TextFormats.isEmail(text)) }

    @Test("hosts that PocketBase takes are valid", arguments: acceptedHosts)
    func acceptsHost(_ text: String) { #expect(TextFormats.isHost(text)) }

    @Test("hosts that PocketBase refuses are not valid", arguments: refusedHosts)
    func refusesHost(_ text: String) { #expect(!TextFormats.isHost(text)) }

    @Test("a hostile URL of the greatest length is judged at once")
    func judgesLongURL() {
        let dashes = "http://" + String(repeating: "a-", count: 1030)
        let clock = ContinuousClock()
        #expect(clock.measure { _ = WebAddress.isValid(dashes) } < .seconds(2))
    }

    @Test(
        "labels of rate limits are tags, actions or paths",
        arguments: [
            "posts", "posts:create", "*:auth", "/", "/api/", "/api", "POST /x", "post /x", "/a-b/", "POST /", "123",
            "POST:create", "//",
        ])
    func acceptsLabel(_ text: String) { #expect(TextFormats.isRateLimitLabel(text)) }

    @Test(
        "other texts are no labels of rate limits",
        arguments: [
            "*", "*:", "POST  /x", "POST x", "a:b:c", "a b", "/a.b", "/a/{id}", "/a*", "/é", "é", "posts:*",
            "*:create:x", "_a-b", "a-b", "/a b", "a/b", "x\n", "\nx", "",
        ])
    func refusesLabel(_ text: String) { #expect(!TextFormats.isRateLimitLabel(text)) }
}
