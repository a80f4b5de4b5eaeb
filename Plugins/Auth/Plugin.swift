import PluginKit

final class AuthPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.auth", version: "1.0.0", name: "Auth", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws {
        let collections = AuthCollections()
        try host.provideIdentity(TokenIdentity(collections))
        try AuthMethodsRoute.add(to: host, collections)
        try RefreshRoute.add(to: host, collections)
        try ImpersonateRoute.add(to: host, collections)
        let (mails, locks) = (AuthMails(host), RecordLocks())
        let signIn = SignIn(mails: mails)
        try PasswordRoute(collections: collections, signIn: signIn).add(to: host)
        try VerificationRoutes(collections: collections, mails: mails).add(to: host)
        try PasswordResetRoutes(collections: collections, mails: mails, locks: locks).add(to: host)
        try EmailChangeRoutes(collections: collections, mails: mails, locks: locks).add(to: host)
        try OneTimePasswordRoutes(collections: collections, mails: mails, signIn: signIn).add(to: host)
        try TestMailRoute(collections: collections, mails: mails).add(to: host)
        try SuperuserCommand.add(to: host)
    }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: AuthPlugin.self) }
