import AuthForms
import PluginKit

/// What `auth-with-oauth2` answers where no plugin brings OAuth2: what PocketBase refuses is refused with its words.
enum OAuth2Refusal {
    static func error(_ collection: AuthCollection, _ request: HTTPRequest) throws -> ServiceError {
        guard collection.hasOAuth2 else {
            return .forbidden("The collection is not configured to allow OAuth2 authentication.")
        }
        let form = try Form(request)
        let (provider, code) = (try form.text("provider"), try form.text("code"))
        _ = (try form.text("codeVerifier"), try form.text("redirectURL"))
        var failures: [String: Failure] = [:]
        if provider.isEmpty {
            failures["provider"] = .required
        } else if provider.utf8.count > 100 {
            failures["provider"] = Failure(
                "validation_length_too_long", "The length must be no more than 100.", params: ["max": 100, "min": 0])
        } else if !collection.providers.contains(provider) {
            failures["provider"] = Failure(
                "validation_invalid_provider", "Provider with name \(provider) is missing or is not enabled.",
                params: ["name": .string(provider)])
        }
        if code.isEmpty { failures["code"] = .required }
        if !failures.isEmpty {
            return .badRequest("An error occurred while loading the submitted data.", fields: failures)
        }
        return ServiceError(status: 500, message: "Failed to init provider \(provider)")
    }
}
