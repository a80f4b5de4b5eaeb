import Glibc
import NIOCore
import Testing
import WebServer

@Suite("Streams", .serialized)
struct StreamTests {
    @Test("an upload is handed out piece by piece and rests while the consumer is busy")
    func uploadBackPressure() throws {
        let total = Box(0)
        let largest = Box(0)
        let inHand = Box(0)
        let server = try TestServer { router in
            router.add(.post, "/", options: RouteOptions(body: .stream(maxBytes: 100 << 20))) { request, responder in
                guard let body = request.bodyStream else { return }
                onThread {
                    body.start { piece in
                        let count = piece.readableBytes
                        total.update { $0 += count }
                        inHand.update { $0 += count }
                        largest.update { $0 = max($0, inHand.value) }
                        onThread {
                            usleep(500)
                            inHand.update { $0 -= count }
                            body.consumed(count)
                        }
                    } onEnd: {
                        responder.send(text("\(body.bytesReceived)"))
                    } onError: { _ in
                        responder.fail(.bodyTruncated)
                    }
                }
            }
        }
        let client = try server.client()
        let size = 20 << 20
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\nExpect: 100-continue\r\n\r\n")
        _ = try client.readUntil("100 Continue\r\n\r\n")
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        for _ in 0..<20 { try client.send(piece) }
        #expect(try client.response(seconds: 20).body == "\(size)")
        #expect(total.value == size)
        #expect(largest.value <= BodyStream.window + (256 << 10))
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        #expect(try client.response().body == "3")
    }

    @Test("a streamed body over its limit fails while it comes; the handler answers")
    func uploadLimit() throws {
        let server = try TestServer { router in
            router.add(.post, "/", options: RouteOptions(body: .stream(maxBytes: 10))) { request, responder in
                guard let body = request.bodyStream else { return }
                body.start {
                    body.consumed($0.readableBytes)
                } onEnd: {
                    responder.send(text("complete"))
                } onError: { failure in
                    responder.fail(failure)
                }
            }
        }
        #expect(try server.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n").status == 413)
        let chunked = try server.exchange(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n2\r\nab\r\n0\r\n\r\n"
        )
        #expect(chunked.status == 413)
        #expect(chunked.header("connection") == "close")
        let exact = try server.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1234567890")
        #expect(exact.body == "complete")
    }

    @Test("a cut upload tells its consumer")
    func cutUpload() throws {
        let failures = Box<[HTTPFailure]>([])
        let got = Box(0)
        let server = try TestServer { router in
            router.add(.post, "/", options: RouteOptions(body: .stream(maxBytes: 1000))) { request, responder in
                request.bodyStream?.start { piece in
                    got.update { $0 += piece.readableBytes }
                } onEnd: {
                    responder.send(text("complete"))
                } onError: { failure in
                    failures.update { $0.append(failure) }
                    responder.fail(failure)
                }
            }
        }
        do {
            let client = try server.client()
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
            #expect(got.wait { $0 == 3 })
        }
        #expect(failures.wait { $0 == [.bodyTruncated] })
    }

    @Test("an answer before the end of a streamed upload passes the rest over")
    func earlyAnswer() throws {
        let server = try TestServer { router in
            router.add(.post, "/", options: RouteOptions(body: .stream(maxBytes: 1000))) { _, responder in
                responder.send(text("early"))
            }
        }
        let client = try server.client()
        for _ in 0..<2 {
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
            #expect(try client.response().body == "early")
            try client.send(String(repeating: "z", count: 100))
        }
    }

    @Test("an answer to an upload of which too much is left says that the connection ends, and the client can read it")
    func earlyAnswerToLargeUpload() throws {
        let server = try TestServer { router in
            router.add(.post, "/", options: RouteOptions(body: .stream(maxBytes: 100 << 20))) { request, responder in
                request.bodyStream?.start { _ in
                    request.bodyStream?.cancel()
                    responder.send(text("early"))
                } onEnd: {
                } onError: { _ in
                }
            }
        }
        for framing in ["Content-Length: 8000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n7a1200\r\n"] {
            let client = try server.client()
            try client.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing)
            let piece = [UInt8](repeating: 7, count: 100_000)
            for _ in 0..<80 {
                try client.send(piece)
                usleep(10_000)
            }
            let response = try client.response()
            #expect(response.body == "early")
            #expect(response.header("connection") == "close")
        }
    }

    @Test("a large streamed answer respects back-pressure and arrives whole")
    func download() throws {
        let peak = Box(0)
        let server = try TestServer { router in
            router.add(.get, "/{$}") { _, responder in
                let stream = responder.stream(headers: [("Content-Type", "text/plain")])
                let left = Box(400)
                @Sendable func fill() {
                    while left.value > 0 {
                        left.update { $0 -= 1 }
                        let hasRoom = stream.write([UInt8](repeating: 65, count: 50_000))
                        peak.update { $0 = max($0, stream.pendingBytes) }
                        if !hasRoom, left.value > 0 { return }
                    }
                    stream.end()
                }
                stream.onWritable { fill() }
                onThread { fill() }
            }
        }
        let client = try server.client()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        usleep(100_000)
        let response = try client.response(seconds: 10)
        #expect(response.header("transfer-encoding") == "chunked")
        #expect(response.body.utf8.count == 20_000_000)
        #expect(peak.value <= ResponseStream.highWaterMark + 100_000)
        try client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().status == 404)
    }

    @Test("events reach the client as they are written, and the writer learns that the client left")
    func events() throws {
        let streams = Box<[ResponseStream]>([])
        let closed = Box(false)
        let server = try TestServer { router in
            router.add(.get, "/") { _, responder in
                let stream = responder.stream(headers: [("Content-Type", "text/event-stream")])
                stream.onClose { closed.value = true }
                streams.value = [stream]
            }
        }
        do {
            let client = try server.client()
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.readUntil("\r\n\r\n")
            for index in 0..<3 {
                #expect(streams.value.first?.write(Array("data: \(index)\n\n".utf8)) == true)
                #expect(try client.readUntil("\n\n").hasSuffix("data: \(index)\n\n"))
            }
        }
        #expect(closed.wait { $0 })
        #expect(streams.value.first?.isClosed == true)
        #expect(streams.value.first?.write([1]) == false)
    }

    @Test("a client that does not read is cut off")
    func slowReader() throws {
        let closed = Box(false)
        let server = try TestServer({ $0.transferTimeout = 200 }) { router in
            router.add(.get, "/") { _, responder in
                let stream = responder.stream()
                stream.onClose { closed.value = true }
                stream.write([UInt8](repeating: 1, count: 30_000_000))
            }
        }
        let client = try server.client()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(closed.wait { $0 })
    }

    @Test("HTTP/1.0 gets a stream without chunks up to the end of the connection; HEAD gets the head alone")
    func streamForms() throws {
        let server = try TestServer { router in
            router.add(.get, "/") { _, responder in
                responder.send(
                    Response(
                        body: .stream { stream in
                            stream.write(Array("abc".utf8))
                            stream.end()
                        }))
            }
            router.add(.get, "/known") { _, responder in
                let stream = responder.stream(headers: [("Content-Length", "3")])
                stream.write(Array("abc".utf8))
                stream.end()
            }
        }
        let old = try server.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(old.header("transfer-encoding") == nil)
        #expect(old.body == "abc")
        let client = try server.client()
        try client.send(
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /known HTTP/1.1\r\nHost: a\r\n\r\nGET /known HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        #expect(try client.response(hasBody: false).status == 200)
        #expect(try client.response(hasBody: false).header("content-length") == "3")
        let known = try client.response()
        #expect(known.header("transfer-encoding") == nil)
        #expect(known.body == "abc")
    }

    @Test("a part of a file is sent, large ones whole, missing ones as 404", arguments: [false, true])
    func files(isCopied: Bool) throws {
        let path = "/tmp/roost-webserver-test-\(getpid())-\(isCopied)"
        // ASCII, because strings with replaced bytes take long to compare.
        let content = [UInt8](
            (0..<30_000).flatMap { _ in "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8 }.prefix(
                1_500_000))
        let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
        _ = content.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, content.count) }
        close(descriptor)
        defer { unlink(path) }
        let server = try TestServer {
            if isCopied { $0.configureChannel = { _ in } }
        } routes: { router in
            router.add(.get, "/{offset}/{length}") { request, responder in
                let offset = request.parameters["offset"].flatMap { Int($0) } ?? 0
                let length = request.parameters["length"].flatMap { Int($0) } ?? 0
                responder.send(Response(body: .file(path: path, offset: offset, length: length)))
            }
            router.add(.get, "/missing") { _, responder in
                responder.send(Response(body: .file(path: path + "x", offset: 0, length: 1)))
            }
        }
        let client = try server.client()
        try client.send("GET /10/5 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().body == String(decoding: content[10..<15], as: UTF8.self))
        try client.send("GET /0/1500000 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().body == String(decoding: content, as: UTF8.self))
        try client.send("HEAD /0/1500000 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response(hasBody: false).header("content-length") == "1500000")
        try client.send("GET /0/1500001 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().status == 404)
        try client.send("GET /missing HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().status == 404)
        let last = try server.exchange("GET /0/1500000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(last.body == String(decoding: content, as: UTF8.self))
    }
}
