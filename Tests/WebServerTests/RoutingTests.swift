import NIOCore
import Testing
import WebServer

@Suite("Routing", .serialized)
struct RoutingTests {
    let server: TestServer

    init() throws {
        server = try TestServer { router in
            func add(_ method: HTTPMethod?, _ path: String) {
                router.add(method, path) { request, responder in
                    let id = request.parameters["id"] ?? "-"
                    let rest = request.parameters["path"] ?? "-"
                    responder.send(text("\(path) \(request.parameters["c"] ?? "-") \(id) \(rest)"))
                }
            }
            add(.get, "/api/collections/meta/scaffolds")
            add(.get, "/api/collections/{c}")
            add(.get, "/api/collections/{c}/records/{id}")
            add(.patch, "/api/collections/{c}/records/{id}")
            add(.get, "/_/{path...}")
            add(.get, "/exact/{$}")
            add(nil, "/any")
            router.add(.get, "/query") { request, responder in
                let items = request.queryItems.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
                responder.send(text("\(items) \(request.queryValue("b") ?? "nil") \(request.rawQuery)"))
            }
        }
    }

    private func get(_ path: String, method: String = "GET") throws -> TestResponse {
        try server.exchange("\(method) \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
    }

    @Test(
        "the most specific pattern answers",
        arguments: [
            ("/api/collections/meta/scaffolds", "/api/collections/meta/scaffolds - - -"),
            ("/api/collections/meta", "/api/collections/{c} meta - -"),
            ("/api/collections/meta/records/1", "/api/collections/{c}/records/{id} meta 1 -"),
            ("/api/collections/a%20b/records/x%2Fy", "/api/collections/{c}/records/{id} a b x/y -"),
            ("/%61pi/collections/x", "/api/collections/{c} x - -"),
            ("/api/collections/x/", "missing /api/collections/x/"),
            ("/api/collections//", "/api/collections/"),
            ("/_/", "/_/{path...} - - "),
            ("/_/a/b%20c", "/_/{path...} - - a/b c"),
            ("/exact/", "/exact/{$} - - -"),
            ("/exact/more", "missing /exact/more"),
            ("/any", "/any - - -"),
            ("/nothing", "missing /nothing"),
        ]
    )
    func matching(path: String, expected: String) throws {
        let response = try get(path)
        if response.status == 307 {
            #expect(response.header("location") == expected)
        } else {
            #expect(response.body == expected)
        }
    }

    @Test("a method that a path does not have reaches notFound, and each method its own route")
    func methods() throws {
        #expect(try get("/api/collections/a/records/b", method: "PATCH").status == 200)
        #expect(
            try get("/api/collections/a/records/b", method: "DELETE").body == "missing /api/collections/a/records/b")
        #expect(try get("/any", method: "PROPFIND").status == 200)
    }

    @Test("an unclean path is redirected with 307 and its query")
    func redirects() throws {
        let response = try get("/api/x/../any?a=b%20c")
        #expect(response.status == 307)
        #expect(response.header("location") == "/api/any?a=b%20c")
        #expect(response.header("content-type") == "text/html; charset=utf-8")
        #expect(response.body == "<a href=\"/api/any?a=b%20c\">Temporary Redirect</a>.\n\n")
        #expect(try get("/api//x").header("location") == "/api/x")
        #expect(try get("/api/./x").header("location") == "/api/x")
        #expect(try get("/a/b/..").header("location") == "/a")
        #expect(try get("//").header("location") == "/")
        #expect(try get("/../..//").header("location") == "/")
        #expect(try get("/_").header("location") == "/_/")
        let post = try get("/api//x", method: "POST")
        #expect(post.status == 307)
        #expect(post.header("content-length") == "0")
        #expect(post.header("content-type") == nil)
        #expect(try get("/api/%2e%2e/x").status == 404)
        #expect(try get("/.hidden").status == 404)
        #expect(try get("/..a").status == 404)
    }

    @Test("the query is decoded in order")
    func query() throws {
        #expect(
            try get("/query?a=1+2&b=%C3%A4&a=3&c&d=x%zz&e=1;2").body
                == "a=1 2|b=ä|a=3|c= ä a=1+2&b=%C3%A4&a=3&c&d=x%zz&e=1;2")
        #expect(try get("/query?").body == " nil ")
    }

    @Test("a request made inside the process runs through the same route")
    func detached() throws {
        let inner = Router()
        inner.use { request, responder, next in
            request.setResponseHeader("X-A", "1")
            next(request, responder)
        }
        inner.add(.post, "/in/{id}", options: RouteOptions(body: .collect(maxBytes: 3))) { request, responder in
            let id = request.parameters["id"] ?? ""
            responder.send(
                text("\(id) \(request.bodyText) \(request.headers.first("x-b") ?? "") \(request.queryValue("q") ?? "")")
            )
        }
        let table = inner.freeze()
        let outer = try TestServer { router in
            router.add(.get, "/{body}") { request, responder in
                table.dispatch(
                    .post, "/in/7?q=9", headers: Headers([("X-B", "b")]),
                    body: ByteBuffer(string: request.parameters["body"] ?? ""), parent: request
                ) { responder.send($0) }
            }
        }
        #expect(try outer.exchange("GET /abc HTTP/1.1\r\nHost: a\r\n\r\n").body == "7 abc b 9")
        #expect(try outer.exchange("GET /abcd HTTP/1.1\r\nHost: a\r\n\r\n").status == 413)
    }
}
