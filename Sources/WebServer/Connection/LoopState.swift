import Glibc
import NIOCore

/// What the connections of one event loop share: the list of them, the timeouts, the `Date` header.
///
/// `@unchecked Sendable`: only its event loop touches it, which every method asserts.
final class LoopState: @unchecked Sendable {
    let eventLoop: any EventLoop
    private var connections: [Connection] = []
    private var sweep: RepeatedTask?
    private let sweepInterval: TimeAmount
    private var dateSecond = -1
    private var dateLine: [UInt8] = []
    private(set) var isDraining = false
    /// Whether the connections' bytes go to their sockets as they are, so that something may write to a socket itself.
    /// False under TLS.
    let isDirect: Bool
    /// Channels that were handed over to another protocol.
    private var adopted: [ObjectIdentifier: any Channel] = [:]
    /// The WebSockets among them.
    var sockets: [ObjectIdentifier: WebSocketConnection] = [:] {
        didSet { if !sockets.isEmpty { startSweep() } }
    }
    /// What is to be sent to live streams.
    let live: LiveQueue
    /// The time, as it was when the loop last looked at its connections: good to a second.
    private(set) var tick = MonotonicClock.now()

    init(eventLoop: any EventLoop, configuration: WebServerConfiguration) {
        self.eventLoop = eventLoop
        live = LiveQueue(eventLoop)
        isDirect = configuration.configureChannel == nil
        let shortest = min(
            configuration.readHeaderTimeout, configuration.idleTimeout, configuration.transferTimeout
        )
        self.sweepInterval = .milliseconds(Int64(max(20, min(1000, shortest / 4))))
    }

    /// `Date: ...\r\n`, made anew once a second.
    var date: [UInt8] {
        eventLoop.assertInEventLoop()
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        if time.tv_sec != dateSecond {
            dateSecond = time.tv_sec
            dateLine = Self.format(time.tv_sec)
        }
        return dateLine
    }

    func add(_ connection: Connection) {
        eventLoop.assertInEventLoop()
        connection.slot = connections.count
        connections.append(connection)
        startSweep()
    }

    private func startSweep() {
        guard sweep == nil else { return }
        tick = MonotonicClock.now()
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: sweepInterval, delay: sweepInterval) { _ in
            self.closeOverdue()
        }
    }

    func remove(_ connection: Connection) {
        eventLoop.assertInEventLoop()
        let slot = connection.slot
        guard slot >= 0, slot < connections.count, connections[slot] === connection else { return }
        connections.swapAt(slot, connections.count - 1)
        connections.removeLast()
        if slot < connections.count { connections[slot].slot = slot }
        connection.slot = -1
        if connections.isEmpty, sockets.isEmpty {
            sweep?.cancel()
            sweep = nil
        }
    }

    /// Remembers a channel that has left HTTP, so that it is closed when the server stops.
    func adopt(_ channel: any Channel) {
        eventLoop.assertInEventLoop()
        let id = ObjectIdentifier(channel)
        adopted[id] = channel
        channel.closeFuture.assumeIsolated().whenComplete { _ in self.adopted[id] = nil }
        if isDraining { channel.close(promise: nil) }
    }

    /// Closes what rests and lets the others finish.
    func drain() {
        eventLoop.assertInEventLoop()
        isDraining = true
        for connection in connections { connection.drain() }
        for socket in sockets.values { socket.stop() }
        for channel in adopted.values { channel.close(promise: nil) }
    }

    func closeAll() {
        eventLoop.assertInEventLoop()
        for connection in connections { connection.close() }
        for channel in adopted.values { channel.close(promise: nil) }
        for socket in sockets.values { socket.cut() }
    }

    private func closeOverdue() {
        let now = MonotonicClock.now()
        tick = now
        for connection in connections { connection.checkDeadlines(now) }
        // Those that came together are asked together.
        let silent = sockets.values.compactMap { $0.check(now) }
        if !silent.isEmpty { live.add(.fanOut(.ping, silent)) }
    }

    private static func format(_ seconds: Int) -> [UInt8] {
        var seconds = seconds
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let day = "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)])"
        let time = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return Array("Date: \(day) \(parts.tm_year + 1900) \(time) GMT\r\n".utf8)
    }
}
