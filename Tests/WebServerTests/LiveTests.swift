import Glibc
import NIOCore
import Testing

@testable import WebServer

@Suite("Live streams", .serialized)
struct LiveTests {
    @Test("a batch says what each socket took, with and without a ring", arguments: [true, false])
    func batches(usesRing: Bool) throws {
        let batch = DirectBatch(usesRing: usesRing)
        let first = FixedBytes(Array("first-".utf8))
        // Short ones are copied together and long ones are not.
        for size in [3, 20_000] {
            let second = FixedBytes((0..<size).map { UInt8(truncatingIfNeeded: $0) })
            var pairs: [(ours: Int32, theirs: Int32)] = []
            for _ in 0..<DirectBatch.capacity {
                var pair: [Int32] = [0, 0]
                try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
                pairs.append((pair[0], pair[1]))
            }
            close(pairs[5].theirs)
            var count = 0
            // The seventh socket is full.
            let block = [UInt8](repeating: 0, count: 100_000)
            while send(pairs[7].ours, block, block.count, Int32(MSG_DONTWAIT)) > 0 { count += 1 }
            #expect(count > 0)
            for round in 0..<2 {
                batch.begin()
                for (place, pair) in pairs.enumerated() {
                    let isShort = place % 2 == round
                    batch.add(
                        DirectPiece(
                            socket: pair.ours, first: isShort ? .init(start: nil, count: 0) : first.bytes,
                            second: second.bytes), place: place)
                }
                var missed: [Int: Int?] = [:]
                batch.run { place, piece, sent in
                    missed[place] = sent
                    #expect(piece.socket == pairs[place].ours)
                }
                #expect(missed[5] == 0)
                #expect((missed[7] ?? -1) ?? -1 < first.bytes.count + size)
                #expect(missed.keys.sorted() == [5, 7])
                for (place, pair) in pairs.enumerated() where place != 5 && place != 7 {
                    let expected = (place % 2 == round ? [] : Array(first.bytes)) + Array(second.bytes)
                    var found = [UInt8](repeating: 0, count: expected.count + 10)
                    let got = recv(pair.theirs, &found, found.count, 0)
                    #expect(Array(found.prefix(max(0, got))) == expected)
                }
            }
            for (place, pair) in pairs.enumerated() {
                close(pair.ours)
                if place != 5 { close(pair.theirs) }
            }
        }
        batch.begin()
        batch.run { _, _, _ in Issue.record("nothing was sent") }
    }

    @Test("what a slow client is sent arrives whole and in order, whichever way it goes")
    func order() throws {
        let streams = Box<[LiveStream]>([])
        let server = try TestServer { router in
            router.add(.get, "/") { _, responder in
                var options = LiveOptions()
                options.maxPending = 256 << 20
                options.prefix = Array("<".utf8)
                if let stream = responder.live(headers: [], options: options) { streams.update { $0.append(stream) } }
            }
        }
        let clients = try (0..<66).map { _ in try server.client() }
        for client in clients {
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        }
        try #require(streams.wait { $0.count == clients.count })
        var expected = ""
        let all = streams.value
        for number in 0..<60 {
            let size = number % 3 == 0 ? 60_000 : number % 3 == 1 ? 10 : 3000
            let message = "\(number):" + String(repeating: "x", count: size)
            if number % 5 == 4 {
                for stream in all { stream.send(isText: true, Array(message.utf8)) }
                expected += message
            } else if number % 5 == 3 {
                // Twice to each.
                LiveStream.send(isText: true, Array(message.utf8), to: all + all)
                expected += "<" + message + "<" + message
            } else {
                LiveStream.send(isText: true, Array(message.utf8), to: all)
                expected += "<" + message
            }
        }
        for stream in all { stream.close() }
        for client in clients.prefix(8) { #expect(try client.response().body == expected) }
    }
}
