import PluginKit
import Transfers

/// An answer that says no.
struct S3Refusal {
    let status: Int
    /// S3's name of the reason, e.g. `NoSuchKey`.
    let code: String
    let message: String
    private let after: Int

    init(_ answer: S3Answer) {
        status = answer.head.status
        after = answer.head.headers["retry-after"].flatMap { Int($0) } ?? 0
        let document = XMLElement(parsing: answer.body)
        let error = document?.name == "Error" ? document : nil
        code = error?.value("Code") ?? ""
        message = error?.value("Message") ?? ""
    }

    /// The reasons for which the same request may go well later. "RequestTimeout" comes as 400.
    private static let transientCodes: Set<String> = [
        "RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "OperationAborted", "TooManyRequests",
    ]

    private static let deniedCodes: Set<String> = [
        "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
        "RequestTimeTooSkewed", "AllAccessDisabled",
    ]

    private var kind: StorageError.Kind {
        // Without its bucket nothing can be stored, which is more than a file that is missing.
        if code == "NoSuchBucket" { return .failed }
        if status == 404 || code == "NoSuchKey" { return .missing }
        if status == 401 || status == 403 || Self.deniedCodes.contains(code) { return .denied }
        if status == 412 { return .changed }
        if status == 416 { return .invalid }
        return .failed
    }

    /// E.g. `The S3 service says 403 AccessDenied: Access Denied`.
    private var reason: String {
        var words = "The S3 service says \(status)"
        if !code.isEmpty { words += " \(code)" }
        if !message.isEmpty { words += ": \(message)" }
        if (300..<400).contains(status) { words += " (the bucket may be in another region, or at another endpoint)" }
        return words
    }

    var failure: S3Client.Attempt.Failure {
        let isTransient =
            status >= 500 && status != 501 || status == 429 || status == 408
            || Self.transientCodes.contains(code)
        return .init(error: StorageError(kind, reason), isTransient: isTransient, after: after)
    }
}
