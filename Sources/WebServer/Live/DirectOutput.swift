import CSocketBatch
import Glibc
import NIOCore

/// The way straight to a connection's socket while nothing waits in the channel's queue: no pipeline, no promise, no
/// copy. What the socket does not take goes the channel's way.
///
/// It belongs to its event loop. Whoever has it lets go of it when the channel becomes inactive, which the channel says in
/// the same turn of the loop in which it closes the descriptor, so that this is never another connection's.
struct DirectOutput {
    private let channel: any Channel
    private let socket: CInt

    /// - Returns: nil when the channel has no socket to give.
    init?(_ channel: any Channel) {
        let operations = channel.pipeline.syncOperations
        guard let found = try? operations.withUnsafeTransportIfAvailable(of: CInt.self, { $0 }) else { return nil }
        self.channel = channel
        socket = found
    }

    /// The socket, when the channel's queue is empty. It stays so until the channel is given something.
    func next() -> CInt? {
        guard channel.isActive else { return nil }
        let waiting = try? channel.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes)
        return waiting == 0 ? socket : nil
    }
}

/// What goes straight to a socket: two pieces, one behind the other; the first may be empty. Whoever made it keeps the
/// bytes until they are sent.
struct DirectPiece {
    var socket: CInt
    var first: UnsafeRawBufferPointer
    var second: UnsafeRawBufferPointer

    var count: Int { first.count + second.count }

    /// Sends it now.
    /// - Returns: how many of its bytes the socket took. A broken connection takes none, and its channel notices.
    func send() -> Int {
        max(0, Int(roost_socket_send(socket, first.baseAddress, first.count, second.baseAddress, second.count)))
    }

    /// What is left of it after some bytes.
    func rest(after sent: Int) -> ByteBuffer {
        var rest = ByteBuffer()
        rest.reserveCapacity(count - sent)
        rest.writeBytes(first.dropFirst(sent))
        rest.writeBytes(second.dropFirst(max(0, sent - first.count)))
        return rest
    }
}

/// Bytes that stay where they are.
///
/// `@unchecked Sendable`: they do not change.
final class FixedBytes: @unchecked Sendable {
    static let none = FixedBytes([])
    let bytes: UnsafeRawBufferPointer

    init(_ bytes: some Collection<UInt8>) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        memory.copyBytes(from: bytes)
        self.bytes = UnsafeRawBufferPointer(memory)
    }

    deinit { bytes.deallocate() }
}

/// Pieces for many sockets, sent with one system call where the kernel has one for that.
///
/// `@unchecked Sendable`: it belongs to one event loop.
final class DirectBatch: @unchecked Sendable {
    static let capacity = 64
    private let batch: OpaquePointer?
    private var pieces: [(place: Int, piece: DirectPiece)] = []
    /// Another one for each batch.
    private(set) var number = 0

    /// - Parameter usesRing: whether to ask the kernel for one, which it may refuse.
    init(usesRing: Bool = true) {
        batch = roost_socket_batch_open(UInt32(Self.capacity), usesRing ? 1 : 0)
        pieces.reserveCapacity(Self.capacity)
    }

    deinit { roost_socket_batch_close(batch) }

    func begin() {
        number += 1
        pieces.removeAll(keepingCapacity: true)
    }

    /// Adds a piece; `capacity` of them at most, and no socket twice.
    func add(_ piece: DirectPiece, place: Int) {
        pieces.append((place, piece))
        guard let batch else { return }
        roost_socket_batch_add(
            batch, piece.socket, piece.first.baseAddress, piece.first.count, piece.second.baseAddress,
            piece.second.count)
    }

    /// Sends everything.
    /// - Parameter isShort: told of the pieces of which the socket did not take all, with the number of bytes that it took;
    ///   nil when that is not known.
    func run(_ isShort: (_ place: Int, DirectPiece, _ sent: Int?) -> Void) {
        if pieces.isEmpty { return }
        guard let batch, let results = roost_socket_batch_run(batch) else {
            for (place, piece) in pieces { isShort(place, piece, piece.send()) }
            return
        }
        for (index, (place, piece)) in pieces.enumerated() where results[index] != piece.count {
            isShort(place, piece, results[index] == .min ? nil : max(0, Int(results[index])))
        }
    }
}
