import PluginKit

final class OAuth2Plugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.oauth2", version: "1.0.0", name: "OAuth2", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws {
        let names = AppleNames()
        try host.authMethod(OAuth2Method(host, names))
        try ProvidersRoute.add(to: host)
        try AppleSecretRoute.add(to: host)
        try RedirectRoute(host, names).add(to: host)
    }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: OAuth2Plugin.self) }
