import Glibc
import Testing
import WebServer

@Suite("HTTP/1.1 protocol", .serialized)
struct ProtocolTests {
    let server: TestServer

    init() throws {
        server = try TestServer({ $0.maxHeaderBytes = 64 * 1024 }) { router in
            router.add(.get, "/hello") { _, responder in responder.send(text("hi")) }
            router.add(.post, "/echo", options: RouteOptions(body: .collect(maxBytes: 1000))) { request, responder in
                responder.send(text(request.bodyText))
            }
            router.add(.post, "/ignore", options: RouteOptions(body: .discard)) { _, responder in
                responder.send(text("ok"))
            }
            router.add(.get, "/slow") { _, responder in
                onThread {
                    usleep(50_000)
                    responder.send(text("slow"))
                }
            }
        }
    }

    @Test("an answer has status line, date and length, and the connection stays open")
    func answer() throws {
        let client = try server.client()
        for _ in 0..<3 {
            try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try client.response()
            #expect(response.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(response.header("date")?.hasSuffix(" GMT") == true)
            #expect(response.header("content-length") == "2")
            #expect(response.header("connection") == nil)
            #expect(response.body == "hi")
        }
    }

    @Test("HEAD is answered by the GET route without its body")
    func head() throws {
        let client = try server.client()
        try client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        let response = try client.response(hasBody: false)
        #expect(response.header("content-length") == "2")
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().body == "hi")
    }

    @Test("HTTP/1.0 closes unless keep-alive is asked for")
    func http10() throws {
        let plain = try server.client()
        try plain.send("GET /hello HTTP/1.0\r\n\r\n")
        let first = try plain.response()
        #expect(first.head.hasPrefix("HTTP/1.0 200"))
        #expect(plain.closes(within: 2))
        let kept = try server.client()
        for _ in 0..<2 {
            try kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try kept.response().header("connection") == "keep-alive")
        }
    }

    @Test("Connection: close is honoured and announced")
    func connectionClose() throws {
        let client = try server.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(try client.response().header("connection") == "close")
        #expect(client.closes(within: 2))
    }

    @Test(
        "a request that is not unmistakable is refused and the connection closed",
        arguments: [
            ("GET /hello HTTP/1.1\r\n\r\n", 400),
            ("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("hello\r\n\r\n", 400),
            ("GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /he llo HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET /hello HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
            ("GET /hello HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", 400),
            ("GET /hello HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nab", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: magic\r\n\r\n", 417),
        ]
    )
    func refusals(request: String, status: Int) throws {
        let client = try server.client()
        try client.send(request)
        let response = try client.response()
        #expect(response.status == status)
        #expect(response.header("connection") == "close")
        #expect(client.closes(within: 3))
    }

    @Test("too large a head is refused with 431 before it is complete")
    func largeHead() throws {
        let client = try server.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 70_000))
        #expect(try client.response().status == 431)
        #expect(client.closes(within: 3))
        let many = try server.exchange(
            "GET /hello HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: a\r\n", count: 1500) + "\r\n"
        )
        #expect(many.status == 431)
    }

    @Test("a head that comes byte by byte is understood")
    func byteByByte() throws {
        let client = try server.client()
        for byte in "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".utf8 {
            try client.send([byte])
            usleep(300)
        }
        #expect(try client.response().body == "abc")
        for byte
            in "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: v\r\n\r\n"
            .utf8
        {
            try client.send([byte])
            usleep(300)
        }
        #expect(try client.response().body == "abc")
    }

    @Test("pipelined requests are answered in order, slow ones first")
    func pipelining() throws {
        let client = try server.client()
        try client.send(
            "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        for expected in ["slow", "abc", "hi", "slow", "hi"] {
            #expect(try client.response().body == expected)
        }
    }

    @Test("a thousand pipelined requests are answered")
    func deepPipeline() throws {
        let client = try server.client()
        try client.send(String(repeating: "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", count: 1000))
        for _ in 0..<1000 { #expect(try client.response().body == "hi") }
    }

    @Test("100 Continue is sent before the body is awaited, and not when the body is refused")
    func expectContinue() throws {
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.readUntil("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send("abc")
        #expect(try client.response().body == "abc")
        let refused = try server.exchange(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\nExpect: 100-continue\r\n\r\n"
        )
        #expect(refused.status == 413)
    }

    @Test("a body over the limit is refused at once, by its length or while it comes")
    func bodyLimit() throws {
        let declared = try server.client()
        try declared.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
        let first = try declared.response()
        #expect(first.status == 413)
        #expect(first.header("connection") == "close")
        #expect(declared.closes(within: 3))
        let chunked = try server.client()
        try chunked.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        try chunked.send("3e8\r\n" + String(repeating: "x", count: 1000) + "\r\n2\r\nxx")
        #expect(try chunked.response().status == 413)
        #expect(chunked.closes(within: 3))
        let exact = try server.exchange(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "y", count: 1000)
        )
        #expect(exact.body.utf8.count == 1000)
    }

    @Test("the answer to a refused upload can be read although the client goes on sending")
    func refusedUploadIsReadable() throws {
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        for _ in 0..<20 { try? client.send([UInt8](repeating: 1, count: 50_000)) }
        #expect(try client.response().status == 413)
    }

    @Test("a small body that nobody reads is passed over and the connection stays usable")
    func discardedBody() throws {
        let client = try server.client()
        for _ in 0..<2 {
            try client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            #expect(try client.response().body == "ok")
            try client.send("hello")
        }
        try client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
        #expect(try client.response().header("connection") == "close")
        #expect(client.closes(within: 3))
    }

    @Test("a half-closed client still gets its answer")
    func halfClosed() throws {
        let client = try server.client()
        try client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        client.halfClose()
        #expect(try client.response().body == "slow")
        #expect(client.closes(within: 2))
    }

    @Test("the absolute form and OPTIONS * are understood, bare line feeds end lines, unknown methods reach notFound")
    func oddForms() throws {
        #expect(try server.exchange("GET http://x.y/hello?a HTTP/1.1\r\nHost: a\r\n\r\n").body == "hi")
        #expect(try server.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status == 200)
        #expect(try server.exchange("GET /hello HTTP/1.1\nHost: a\n\n").body == "hi")
        #expect(try server.exchange("FOO /hello HTTP/1.1\r\nHost: a\r\n\r\n").body == "missing /hello")
        #expect(try server.exchange("\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n").body == "hi")
        #expect(
            try server.exchange("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").body
                == "hi")
    }
}
