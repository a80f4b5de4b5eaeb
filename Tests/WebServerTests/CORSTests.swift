import Testing
import WebServer

@Suite("CORS", .serialized)
struct CORSTests {
    private func server(_ origins: [String] = ["*"]) throws -> TestServer {
        try TestServer { router in
            router.use(corsMiddleware(origins: origins))
            router.add(.get, "/") { _, responder in responder.send(text("ok")) }
        }
    }

    @Test("a preflight ends with 204 and the headers PocketBase sends, on any path")
    func preflight() throws {
        let server = try server()
        for path in ["/", "/nothing"] {
            let response = try server.exchange(
                "OPTIONS \(path) HTTP/1.1\r\nHost: a\r\nOrigin: http://a.b\r\nAccess-Control-Request-Method: PATCH\r\n"
                    + "Access-Control-Request-Headers: X-A, authorization\r\n\r\n"
            )
            #expect(response.status == 204)
            #expect(response.header("content-length") == nil)
            #expect(response.header("access-control-allow-origin") == "*")
            #expect(response.header("access-control-allow-methods") == "GET,HEAD,PUT,PATCH,POST,DELETE")
            #expect(response.header("access-control-allow-headers") == "X-A, authorization")
            #expect(
                response.all("vary")
                    == ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"]
            )
        }
        let bare = try server.exchange("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(bare.status == 204)
        #expect(bare.all("vary") == ["Origin"])
        #expect(bare.header("access-control-allow-origin") == nil)
    }

    @Test("a simple request gets the allowed origin, one without an origin only Vary")
    func simple() throws {
        let server = try server()
        let cross = try server.exchange("GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://a.b\r\n\r\n")
        #expect(cross.header("access-control-allow-origin") == "*")
        #expect(cross.body == "ok")
        let plain = try server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(plain.header("access-control-allow-origin") == nil)
        #expect(plain.all("vary") == ["Origin"])
    }

    @Test(
        "only allowed origins are let in",
        arguments: [
            ("https://app.example.com", "https://app.example.com"),
            ("https://x.y.wild.com", "https://x.y.wild.com"),
            ("http://x.wild.com", nil),
            ("https://wild.com.evil.org", nil),
            ("https://v1.test", "https://v1.test"),
            ("https://v12.test", nil),
            ("https://evil.org", nil),
            ("null", nil),
        ] as [(String, String?)]
    )
    func allowList(origin: String, expected: String?) throws {
        let server = try server(["https://app.example.com", "https://*.wild.com", "https://v?.test"])
        let response = try server.exchange("GET / HTTP/1.1\r\nHost: a\r\nOrigin: \(origin)\r\n\r\n")
        #expect(response.header("access-control-allow-origin") == expected)
        #expect(response.body == "ok")
    }
}
