import PluginKit

final class AuthPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.auth", version: "1.0.0", name: "Auth", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws {
        let collections = AuthCollections()
        try host.provideIdentity(TokenIdentity(collections))
        try AuthMethodsRoute.add(to: host, collections)
        try PasswordRoute.add(to: host, collections)
        try RefreshRoute.add(to: host, collections)
        try ImpersonateRoute.add(to: host, collections)
        try SuperuserCommand.add(to: host)
    }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: AuthPlugin.self) }
