import Glibc
import NIOCore
import Synchronization

/// Bodies that are files: sent by the kernel, or read in pieces where something between needs the bytes.
extension Connection {
    /// Piece in which files are sent; after each the client's progress is noted.
    private static let filePiece = 1 << 18

    func sendFile(_ request: Request, _ response: Response, _ path: String, _ offset: Int, _ length: Int) {
        let (fixed, extra) = request.state.withLock { ($0.fixedHeaders, $0.responseHeaders) }
        if exchange.isHeadMethod || length == 0 {
            let headers = response.headers.filter { !ASCII.equal($0.0, "content-length") }
            let head = Response(
                status: response.status, headers: headers + [("Content-Length", String(length))], body: .none
            )
            return answer(head, fixed: fixed, extra: extra, request: request)
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0, offset >= 0, length > 0,
            offset + length <= Int(status.st_size)
        else {
            if descriptor >= 0 { Glibc.close(descriptor) }
            let failure = server.configuration.errorResponse(.fileUnavailable, request)
            return answer(failure, fixed: fixed, extra: extra, request: request)
        }
        write(writeHead(response.status, response.headers, .length(length), fixed, extra, reserving: 0))
        exchange.bodyBytes = length
        let file = OutgoingFile(handle: NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor))
        sendPiece(request, file, offset, end: offset + length)
    }

    private func sendPiece(_ request: Request, _ file: OutgoingFile, _ offset: Int, end: Int) {
        let next = min(end, offset + Self.filePiece)
        guard let context, let piece = file.piece(offset, next, copies: !isPlain) else {
            // It has become shorter meanwhile.
            file.close()
            return close()
        }
        sending = (file, next)
        if next == end {
            filesLeaving += 1
            let promise = eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in
                file.close()
                self.sending = nil
                self.filesLeaving -= 1
                self.takeNext()
            }
            context.write(wrapOutboundOut(piece), promise: promise)
            finishAnswer(writing: ByteBuffer())
            report(request)
            needsFlush = true
            finishExchangeIfDone()
        } else {
            let promise = eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { result in
                switch result {
                case .success:
                    self.noteProgress()
                    self.sendPiece(request, file, next, end: end)
                case .failure:
                    file.close()
                    self.sending = nil
                }
            }
            context.write(wrapOutboundOut(piece), promise: promise)
            needsFlush = true
        }
        flushIfNeeded()
    }
}

/// A file on its way to the client.
///
/// `@unchecked Sendable`: only the connection's event loop touches it.
final class OutgoingFile: @unchecked Sendable {
    private let handle: NIOFileHandle

    init(handle: NIOFileHandle) {
        self.handle = handle
    }

    /// Whether the file has so many bytes. Behind its end the kernel would be asked again and again.
    func reaches(_ end: Int) -> Bool {
        var status = stat()
        return (try? handle.withUnsafeFileDescriptor { fstat($0, &status) == 0 && Int(status.st_size) >= end }) ?? false
    }

    /// The bytes from `start` to `end`, as a region for the kernel to send or, under TLS, as bytes.
    func piece(_ start: Int, _ end: Int, copies: Bool) -> IOData? {
        guard copies else {
            guard reaches(end) else { return nil }
            return .fileRegion(FileRegion(fileHandle: handle, readerIndex: start, endIndex: end))
        }
        var buffer = ByteBuffer()
        let count = end - start
        let isWhole =
            (try? handle.withUnsafeFileDescriptor { descriptor in
                buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
                    var done = 0
                    while done < count {
                        let step = pread(descriptor, space.baseAddress.map { $0 + done }, count - done, start + done)
                        guard step > 0 else { break }
                        done += step
                    }
                    return done
                } == count
            }) ?? false
        return isWhole ? .byteBuffer(buffer) : nil
    }

    func close() {
        try? handle.close()
    }
}
