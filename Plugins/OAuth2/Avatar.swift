import PluginKit
import Transfers

/// The picture of an account, for the field that the collection maps it to: its address, or the picture itself where the
/// field holds files.
enum Avatar {
    case address(String)
    case file(RecordUpload)

    /// In bytes.
    private static let longest = 32 << 20
    private static let handles = HandlePool()

    /// - Returns: nil when there is nothing to map, or the picture cannot be had, which is no reason to turn somebody away.
    init?(_ collection: JSON, _ account: Account, log: Log) {
        guard let field = collection["oauth2"]?["mappedFields"]?["avatarURL"]?.stringValue, !field.isEmpty,
            !account.avatarURL.isEmpty
        else { return nil }
        let type = collection["fields"]?.arrayValue?.first { $0["name"]?.stringValue == field }?["type"]?.stringValue
        guard type == "file" else {
            self = .address(account.avatarURL)
            return
        }
        do {
            let name = account.avatarURL.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").last.map(String.init)
            self = .file(RecordUpload(field: field, name: name ?? "avatar", data: try Self.download(account.avatarURL)))
        } catch {
            log.warn("An OAuth2 account's picture cannot be had.", ["error": .string("\(error)")])
            return nil
        }
    }

    /// Fetches a picture from the public internet. Its address is the provider's word, and may be anybody's.
    private static func download(_ url: String) throws -> [UInt8] {
        guard ["http://", "https://"].contains(where: { url.lowercased().hasPrefix($0) }) else {
            throw ProviderError("its address is none of the web")
        }
        var limits = HTTPLimits()
        limits.seconds = 10
        limits.body = longest
        limits.redirects = 5
        limits.usesProxy = false
        limits.isPublicOnly = true
        let transfer = HTTPTransfer(.none, limits: limits)
        do {
            try handles.withHandle { try transfer.perform($0, "GET", url, [("User-Agent", "Roost")]) }
        } catch let error as HTTPError {
            throw ProviderError(error.reason)
        }
        guard (200..<400).contains(transfer.head.status) else {
            throw ProviderError("it answers \(transfer.head.status)")
        }
        return transfer.body
    }
}
