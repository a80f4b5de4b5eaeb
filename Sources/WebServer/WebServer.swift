import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// An address that the server listens on.
package struct BoundAddress: Hashable, Sendable, CustomStringConvertible {
    package let ip: String
    package let port: Int

    package var description: String {
        ip.utf8.contains(UInt8(ascii: ":")) ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }
}

/// What all connections of a server share.
final class ServerCore: Sendable {
    let configuration: WebServerConfiguration
    let routes: RouteTable
    let connectionCount = Atomic<Int>(0)
    private let doubleAnswers = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)

    init(configuration: WebServerConfiguration, routes: RouteTable) {
        self.configuration = configuration
        self.routes = routes
    }

    func countDoubleAnswer() {
        doubleAnswers.wrappingAdd(1, ordering: .relaxed)
    }

    /// True when the event loops are going down: a late answer has nowhere to go.
    var hasStopped: Bool { stopped.load(ordering: .acquiring) }

    func markStopped() {
        stopped.store(true, ordering: .releasing)
    }

    var doubleAnswerCount: Int { doubleAnswers.load(ordering: .relaxed) }
}

/// An HTTP/1.1 server over SwiftNIO.
///
/// ```swift
/// let router = Router()
/// router.add(.get, "/health") { _, responder in responder.send(Response(body: .bytes(Array("ok".utf8)))) }
/// let server = WebServer(configuration: WebServerConfiguration(), router: router)
/// let address = try server.start()
/// server.stop(drainSeconds: 10)
/// ```
package final class WebServer: Sendable {
    private struct Running {
        var group: MultiThreadedEventLoopGroup
        var loops: [LoopState]
        var listeners: [any Channel]
    }

    /// The frozen routes; for requests that are made inside the process.
    package var routes: RouteTable { core.routes }

    private let core: ServerCore
    private let running = Mutex<Running?>(nil)

    package init(configuration: WebServerConfiguration, router: Router) {
        self.core = ServerCore(
            configuration: configuration, routes: router.freeze(errorResponse: configuration.errorResponse)
        )
    }

    /// Connections that are open now.
    package var connectionCount: Int { core.connectionCount.load(ordering: .relaxed) }

    /// How often a handler answered a request that was answered already.
    package var doubleAnswers: Int { core.doubleAnswerCount }

    /// Binds and begins to serve. Blocks until the port is bound; not from an event loop.
    ///
    /// - Returns: the addresses that are listened on, with the port that was taken when it was 0.
    /// - Throws: when the address cannot be bound, or the server runs already.
    @discardableResult
    package func start() throws -> [BoundAddress] {
        let configuration = core.configuration
        let descriptorLimit = Self.raiseDescriptorLimit()
        let maxConnections =
            configuration.maxConnections > 0 ? configuration.maxConnections : max(64, descriptorLimit - 256)
        let count = configuration.loops > 0 ? configuration.loops : System.coreCount
        let group = MultiThreadedEventLoopGroup(numberOfThreads: count)
        var loops: [LoopState] = []
        for eventLoop in group.makeIterator() {
            loops.append(LoopState(eventLoop: eventLoop, configuration: configuration))
            if let prepare = configuration.prepareLoop { eventLoop.execute(prepare) }
        }
        let states = loops
        let core = self.core
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                Self.configure(channel, core: core, loops: states, maxConnections: maxConnections)
            }
        do {
            let listeners = try Self.bind(bootstrap, configuration)
            running.withLock { $0 = Running(group: group, loops: states, listeners: listeners) }
            return listeners.compactMap { channel in
                guard let address = channel.localAddress else { return nil }
                return BoundAddress(ip: address.ipAddress ?? "", port: address.port ?? 0)
            }
        } catch {
            try? group.syncShutdownGracefully()
            throw error
        }
    }

    /// Stops: no new connections, resting ones are closed, requests under way are finished.
    ///
    /// Blocks until everything is closed; not from an event loop. Answers with `endsOnDrain` are cut at once.
    /// - Parameter drainSeconds: how long requests may take before they are cut.
    package func stop(drainSeconds: Double) {
        guard let running = running.withLock({ $0.take() }) else { return }
        for listener in running.listeners { try? listener.close().wait() }
        for loop in running.loops { loop.eventLoop.execute { loop.drain() } }
        let deadline = MonotonicClock.now() + UInt64(max(0, drainSeconds) * 1e9)
        while connectionCount > 0, MonotonicClock.now() < deadline { usleep(5_000) }
        for loop in running.loops { loop.eventLoop.execute { loop.closeAll() } }
        core.markStopped()
        try? running.group.syncShutdownGracefully()
    }

    private static func configure(
        _ channel: any Channel, core: ServerCore, loops: [LoopState], maxConnections: Int
    ) -> EventLoopFuture<Void> {
        let eventLoop = channel.eventLoop
        guard let loop = loops.first(where: { $0.eventLoop === eventLoop }) else {
            return eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let open = core.connectionCount.wrappingAdd(1, ordering: .relaxed).newValue
        channel.closeFuture.whenComplete { _ in
            core.connectionCount.wrappingSubtract(1, ordering: .relaxed)
        }
        guard open <= maxConnections, !loop.isDraining else {
            return channel.close()
        }
        return eventLoop.makeCompletedFuture {
            try core.configuration.configureChannel?(channel)
            try channel.pipeline.syncOperations.addHandler(
                Connection(server: core, loop: loop, remoteAddress: channel.remoteAddress)
            )
        }
    }

    private static func bind(
        _ bootstrap: ServerBootstrap, _ configuration: WebServerConfiguration
    ) throws -> [any Channel] {
        guard configuration.host.isEmpty else {
            return [try bootstrap.bind(host: configuration.host, port: configuration.port).wait()]
        }
        // `::` takes IPv4 as well, where the machine has IPv6 at all.
        do {
            return [try bootstrap.bind(host: "::", port: configuration.port).wait()]
        } catch {
            return [try bootstrap.bind(host: "0.0.0.0", port: configuration.port).wait()]
        }
    }

    /// Allows as many open files as the system lets us have, and returns how many those are.
    private static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(min(limit.rlim_cur, 1 << 20))
    }
}
