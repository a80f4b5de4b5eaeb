import PluginKit

/// `GET /api/collections/meta/oauth2-providers`: the services that a collection may use.
enum ProvidersRoute {
    static func add(to host: Host) throws {
        let list = JSON.array(
            Providers.all.map {
                ["name": .string($0.name), "displayName": .string($0.title), "logo": .string($0.logo)]
            })
        let text = list.serialized()
        try host.route("GET", "/api/collections/meta/oauth2-providers", run: .loop, audience: .superusers) { _ in
            .json(text: text)
        }
    }
}
