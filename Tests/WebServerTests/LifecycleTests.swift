import Glibc
import NIOCore
import Testing
import WebServer

private enum NumberKey: RequestKey {
    typealias Value = Int
}

@Suite("Life of requests and connections", .serialized)
struct LifecycleTests {
    @Test("a second answer is dropped and counted")
    func doubleAnswer() throws {
        let results = Box<[Bool]>([])
        let server = try TestServer { router in
            router.add(.get, "/") { _, responder in
                let first = responder.send(text("one"))
                let second = responder.send(text("two"))
                results.value = [first, second]
            }
        }
        let client = try server.client()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().body == "one")
        #expect(try client.response().body == "one")
        #expect(results.value == [true, false])
        #expect(server.server.doubleAnswers == 2)
    }

    @Test("a handler that drops its responder is answered for with 500")
    func forgotten() throws {
        let server = try TestServer { router in
            router.add(.get, "/") { _, _ in }
            router.add(.get, "/later") { _, responder in
                onThread { withExtendedLifetime(responder) { _ = usleep(20_000) } }
            }
        }
        let client = try server.client()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().status == 500)
        #expect(try client.response().status == 500)
    }

    @Test("middlewares run outermost first, share attributes, and add headers to refusals too")
    func middlewares() throws {
        let server = try TestServer { router in
            router.use(FixedHeaders([("X-Frame-Options", "SAMEORIGIN"), ("X-Fixed", "1")]).middleware)
            router.use { request, responder, next in
                request[NumberKey.self] = 1
                request.addResponseHeader("Vary", "Origin")
                next(
                    request,
                    responder.mapping { response in
                        var response = response
                        response.headers.append(("X-Mapped", "yes"))
                        return response
                    })
            }
            let inner: Middleware = { request, responder, next in
                request[NumberKey.self] = (request[NumberKey.self] ?? 0) * 10 + 2
                next(request, responder)
            }
            router.add(
                .post, "/{$}", options: RouteOptions(body: .collect(maxBytes: 1), middlewares: [inner])
            ) { request, responder in
                var response = text("\(request[NumberKey.self] ?? 0)")
                response.headers += [("x-frame-options", "DENY"), ("Vary", "Accept"), ("X-Bad", "a\r\nX-Evil: 1")]
                responder.send(response)
            }
        }
        let good = try server.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        #expect(good.body == "12")
        #expect(good.all("x-frame-options") == ["DENY"])
        #expect(good.all("x-fixed") == ["1"])
        #expect(good.all("vary") == ["Origin", "Accept"])
        #expect(good.header("x-mapped") == "yes")
        #expect(good.header("x-evil") == nil)
        let refused = try server.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxx")
        #expect(refused.status == 413)
        #expect(refused.header("x-frame-options") == "SAMEORIGIN")
        #expect(refused.all("vary") == ["Origin"])
        let missing = try server.exchange("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(missing.header("x-fixed") == "1")
    }

    @Test("the limit of a route may depend on the head")
    func limitFromHead() throws {
        let server = try TestServer { router in
            let options = RouteOptions(body: .collect(maxBytes: 1), bodyLimit: { $0.queryValue("big") == nil ? 2 : 5 })
            router.add(.post, "/", options: options) { request, responder in responder.send(text(request.bodyText)) }
        }
        #expect(try server.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").status == 413)
        #expect(try server.exchange("POST /?big HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").body == "abc")
    }

    @Test("a connection cut inside a collected body never reaches the handler")
    func cutBody() throws {
        let calls = Box(0)
        let server = try TestServer { router in
            router.add(.post, "/") { _, responder in
                calls.update { $0 += 1 }
                responder.send(text("no"))
            }
        }
        let polite = try server.client()
        try polite.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        polite.halfClose()
        #expect(polite.closes(within: 2))
        do {
            let rude = try server.client()
            try rude.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
            usleep(20_000)
            rude.reset()
        }
        usleep(50_000)
        #expect(calls.value == 0)
        #expect(Box(0).wait(until: { _ in server.server.connectionCount == 0 }))
    }

    @Test("the handler is told when the client goes away before the answer")
    func clientGone() throws {
        let gone = Box(0)
        let started = Box(false)
        let kept = Box<[Responder]>([])
        let server = try TestServer { router in
            router.add(.get, "/") { request, responder in
                request.onClose { gone.update { $0 += request.isClosed ? 1 : 100 } }
                kept.value = [responder]
                started.value = true
            }
        }
        do {
            let client = try server.client()
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(started.wait { $0 })
            #expect(kept.value.first?.request.isClosed == false)
        }
        #expect(gone.wait { $0 == 1 })
        // Answering now must do no harm.
        #expect(kept.value.first?.send(text("late")) == true)
        kept.value = []
        #expect(Box(0).wait(until: { _ in server.server.connectionCount == 0 }))
    }

    @Test("a slow head, an idle connection and a stalled body are cut off")
    func timeouts() throws {
        let server = try TestServer {
            $0.readHeaderTimeout = 150
            $0.idleTimeout = 300
            $0.transferTimeout = 200
        } routes: { router in
            router.add(.get, "/") { _, responder in responder.send(text("ok")) }
            router.add(.post, "/") { request, responder in responder.send(text(request.bodyText)) }
        }
        let silent = try server.client()
        #expect(silent.closes(within: 2))
        let slow = try server.client()
        var isCut = false
        for byte in "GET / HTTP/1.1\r\nHost: a\r\nX-Long-Header: abcdefghijklmnopqrstuvwxyz\r\n\r\n".utf8 {
            do {
                try slow.send([byte])
            } catch {
                isCut = true
                break
            }
            usleep(15_000)
        }
        #expect(isCut)
        let idle = try server.client()
        try idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.response().body == "ok")
        usleep(100_000)
        try idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.response().body == "ok")
        #expect(idle.closes(within: 2))
        let stalled = try server.client()
        try stalled.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        #expect(try stalled.response().status == 408)
        #expect(stalled.closes(within: 2))
    }

    @Test("stop finishes what is under way, closes what rests, and cuts endless streams")
    func drain() throws {
        let began = Box(false)
        let cut = Box(false)
        let server = try TestServer { router in
            router.add(.get, "/") { _, responder in responder.send(text("ok")) }
            router.add(.get, "/slow") { _, responder in
                began.value = true
                onThread {
                    usleep(200_000)
                    responder.send(text("slow"))
                }
            }
            router.add(.get, "/events") { _, responder in
                let stream = responder.stream(endsOnDrain: true)
                stream.onClose { cut.value = true }
                stream.write(Array("hello".utf8))
            }
        }
        let idle = try server.client()
        try idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try idle.response()
        let events = try server.client()
        try events.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try events.readUntil("hello")
        let busy = try server.client()
        try busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(began.wait { $0 })
        let start = MonotonicClock.now()
        let stopped = Box(false)
        onThread {
            server.server.stop(drainSeconds: 5)
            stopped.value = true
        }
        let response = try busy.response()
        #expect(response.body == "slow")
        #expect(response.header("connection") == "close")
        #expect(idle.closes(within: 1))
        #expect(events.closes(within: 1))
        #expect(cut.value)
        #expect(stopped.wait { $0 })
        #expect(MonotonicClock.now() - start < 2_000_000_000)
        #expect(throws: TestFailure.self) { try server.client() }
    }

    @Test("stop cuts what is not finished in time")
    func forcedStop() throws {
        let kept = Box<[Responder]>([])
        let server = try TestServer { router in
            router.add(.get, "/") { _, responder in kept.value = [responder] }
        }
        let client = try server.client()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(kept.wait { !$0.isEmpty })
        let start = MonotonicClock.now()
        server.server.stop(drainSeconds: 0.2)
        #expect(MonotonicClock.now() - start < 1_500_000_000)
        #expect(client.closes(within: 1))
        kept.value = []
    }

    @Test("2000 idle connections are held while others are served, and the limit closes those beyond")
    func manyConnections() throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let server = try TestServer({ $0.maxConnections = 2000 }) { router in
            router.add(.get, "/") { _, responder in responder.send(text("ok")) }
        }
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(limit.rlim_cur == limit.rlim_max)
        let count = min(1999, Int(limit.rlim_cur) / 2 - 200)
        var idle: [TestClient] = []
        for _ in 0..<count { idle.append(try server.client()) }
        #expect(try server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "ok")
        #expect(Box(0).wait(until: { _ in server.server.connectionCount == count }))
        try idle[count / 2].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle[count / 2].response().body == "ok")
        if count == 1999 {
            idle.append(try server.client())
            let surplus = try server.client()
            #expect(surplus.closes(within: 2))
        }
    }

    @Test("the response hook sees status, bytes and duration")
    func hook() throws {
        let seen = Box<[String]>([])
        let server = try TestServer {
            $0.onResponse = { request, status, bytes, duration in
                seen.update { $0.append("\(request.method) \(request.path) \(status) \(bytes) \(duration > 0)") }
            }
        } routes: { router in
            router.add(.get, "/a") { _, responder in responder.send(text("four", status: 201)) }
            router.add(.get, "/s") { _, responder in
                let stream = responder.stream()
                stream.write(Array("abcdef".utf8))
                stream.end()
            }
        }
        let client = try server.client()
        try client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /s HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().body == "four")
        #expect(try client.response().body == "abcdef")
        #expect(seen.wait { $0.count == 2 })
        #expect(seen.value == ["GET /a 201 4 true", "GET /s 200 6 true"])
    }

    @Test("an upgrade hands over the channel with the bytes received beyond the request")
    func upgrade() throws {
        final class Echo: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            typealias OutboundOut = ByteBuffer
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                context.writeAndFlush(data, promise: nil)
            }
        }
        let server = try TestServer { router in
            router.add(.get, "/first") { _, responder in responder.send(text("ok")) }
            router.add(.get, "/ws") { _, responder in
                responder.upgrade(headers: [("Upgrade", "echo"), ("Connection", "Upgrade")]) { channel in
                    try channel.pipeline.syncOperations.addHandler(Echo())
                }
            }
        }
        let client = try server.client()
        try client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().body == "ok")
        try client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
        let head = try client.readUntil("\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        #expect(head.contains("Connection: Upgrade\r\n"))
        #expect(try client.readUntil("early") == "early")
        try client.send("later")
        #expect(try client.readUntil("later") == "later")
    }
}
