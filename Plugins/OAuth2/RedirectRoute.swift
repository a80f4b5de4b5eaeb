import AuthForms
import PluginKit

/// `GET` and `POST /api/oauth2-redirect`: where providers send people back to. The code goes on to the client that waits
/// for it with a subscription to `@oauth2`, whose id is the state.
struct RedirectRoute: Sendable {
    private static let path = "/api/oauth2-redirect"

    private let host: Host
    private let names: AppleNames

    init(_ host: Host, _ names: AppleNames) {
        self.host = host
        self.names = names
    }

    func add(to host: Host) throws {
        try host.route("GET", Self.path) { request in
            func value(_ name: String) -> String { request.query(name) ?? "" }
            return Self.leave(
                await pass(value("state"), value("code"), value("error"), user: "", request), status: 307)
        }
        try host.route("POST", Self.path) { request in
            guard let form = try? Form(request), let state = try? form.text("state"),
                let code = try? form.text("code"), let error = try? form.text("error"),
                let user = try? form.text("user")
            else { return Self.leave(false, status: 303) }
            return Self.leave(await pass(state, code, error, user: user, request), status: 303)
        }
    }

    /// - Returns: whether somebody waited for it, and it is a code.
    private func pass(
        _ state: String, _ code: String, _ error: String, user: String, _ request: HTTPRequest
    ) async -> Bool {
        guard !state.isEmpty, let delivery = RealtimeDelivery(host) else { return false }
        // Kept before the client learns of the code, which it may use at once.
        if error.isEmpty, !code.isEmpty { names.keep(user, for: code) }
        var message: JSONObject = ["state": .string(state), "code": .string(code)]
        if !error.isEmpty { message["error"] = .string(error) }
        // Who comes back must be who went: another address may be somebody who was sent the link.
        let wasSent = await delivery.deliver(
            "@oauth2", .object(message), to: state, at: request.remoteIP, for: request)
        if !wasSent { _ = names.take(code) }
        return wasSent && error.isEmpty && !code.isEmpty
    }

    private static func leave(_ isDone: Bool, status: Int) -> HTTPResponse {
        .redirect(to: "../_/#/auth/oauth2-redirect-\(isDone ? "success" : "failure")", status: status)
    }
}
