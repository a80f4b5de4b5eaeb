import PluginKit

final class AuthPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.auth", version: "1.0.0", name: "Auth", vendor: "Roost", license: "MIT")

    /// Sign-ins wait for their hash on threads of their own, so that a storm of them takes none of the server's workers.
    private let threads = JobQueue(maxThreads: 16, maxWaiting: 2000)
    /// Those that wait for a service elsewhere have threads of their own: a service that hangs keeps nobody else out.
    private let visits = JobQueue(maxThreads: 32, maxWaiting: 2000)

    func register(_ host: Host) throws {
        let collections = AuthCollections()
        try host.provideIdentity(TokenIdentity(collections))
        let (mails, locks, methods) = (AuthMails(host), RecordLocks(), AuthMethods(host))
        try host.authMethod(PasswordMethod(collections))
        try host.authMethod(OneTimePasswordMethod(collections, mails))
        try AuthMethodsRoute(collections: collections, methods: methods).add(to: host)
        try SignInRoutes(
            collections: collections, methods: methods, signIn: SignIn(mails: mails), threads: threads, visits: visits
        ).add(to: host)
        try RefreshRoute.add(to: host, collections)
        try ImpersonateRoute.add(to: host, collections)
        try VerificationRoutes(collections: collections, mails: mails).add(to: host)
        try PasswordResetRoutes(collections: collections, mails: mails, locks: locks).add(to: host)
        try EmailChangeRoutes(collections: collections, mails: mails, locks: locks).add(to: host)
        try TestMailRoute(collections: collections, mails: mails).add(to: host)
        try CleanUp(collections: collections).add(to: host)
        try SuperuserCommand.add(to: host)
    }

    func stop() {
        threads.stop()
        visits.stop()
        Bcrypt.stop()
    }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: AuthPlugin.self) }
