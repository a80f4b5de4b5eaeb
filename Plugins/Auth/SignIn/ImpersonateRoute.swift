import AuthForms
import PluginKit

/// `POST /api/collections/{collection}/impersonate/{id}`: a token of somebody else, for superusers. It cannot be renewed.
enum ImpersonateRoute {
    static func add(to host: Host, _ collections: AuthCollections) throws {
        try host.route(
            "POST", "/api/collections/{collection}/impersonate/{id}", run: .worker, audience: .superusers
        ) { request in
            let collection = try collections.find(request.parameter("collection") ?? "", request.records)
            guard let collection, collection.isAuth else {
                throw ServiceError.notFound("Missing or invalid auth collection context.")
            }
            guard let record = try request.records.find(collection.id, id: request.parameter("id") ?? "") else {
                throw ServiceError.notFound()
            }
            let seconds = try Form(request).integer("duration")
            if let invalid = ServiceError.invalidForm(seconds < 0 ? ["duration": .below(0)] : [:]) { throw invalid }
            // Counted in nanoseconds that wrap around, as PocketBase does: what comes out at or below 0 is the
            // collection's own duration.
            let token = try AuthToken.make(
                for: record, of: collection, nanoseconds: seconds &* 1_000_000_000, isRefreshable: false)
            return try AuthAnswer.make(record, of: collection, token: token, request)
        }
    }
}
