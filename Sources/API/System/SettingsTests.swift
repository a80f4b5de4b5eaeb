import Engine
import JSON
import WebServer

/// `POST /api/settings/test/s3`: whether files can be stored with the settings in force.
struct S3Test: Sendable {
    private static let failed = "Failed to test the S3 filesystem."

    static func run(_ exchange: Exchange) {
        do {
            let body = try BodyReader.object(
                exchange.request, .badRequest("An error occurred while loading the submitted data."))
            let settings = try settings(body, exchange.engine.settings.current)
            guard settings.enabled else { throw refusal("S3 storage filesystem is not enabled") }
            let isTaken = exchange.engine.files.transfers.run {
                do throws(ServiceError) {
                    try test(exchange.engine.files.storages, settings)
                    exchange.noContent()
                } catch { exchange.fail(error) }
            }
            if !isTaken { throw ServiceError.overloaded }
        } catch { exchange.fail(error) }
    }

    /// The settings that a request means.
    private static func settings(_ body: JSONObject, _ settings: Settings) throws(ServiceError) -> Settings.S3 {
        switch body["filesystem"] ?? .null {
        case .string("storage"): return settings.s3
        case .string("backups"): return settings.backups.s3
        case .null, .string(""): throw .validation(failed, ["filesystem": .required])
        case .string:
            throw .validation(
                failed, ["filesystem": FieldFailure("validation_in_invalid", "must be a valid value")])
        default: throw .badRequest("An error occurred while loading the submitted data.")
        }
    }

    private static func refusal(_ reason: String) -> ServiceError { .badRequest("\(failed) Raw error: \n\(reason)") }

    /// Stores a file and removes it again, which needs the right to list as well.
    private static func test(_ storages: FileStorages, _ settings: Settings.S3) throws(ServiceError) {
        let folder = "pb_settings_test_\(RandomText.make(5, from: RandomText.lowercase))"
        do throws(FileError) {
            let storage = try storages.open(settings)
            do throws(FileError) {
                try storage.put(
                    .bytes(Array("test".utf8)), as: "\(folder)/test.txt", type: "text/plain; charset=utf-8",
                    originalName: "")
            } catch { throw .failed("failed to upload a test file: \(error)") }
            do throws(FileError) {
                try storage.removeUnfinished(folder)
            } catch { throw .failed("failed to delete a test file: \(error)") }
        } catch { throw refusal(error.description) }
    }
}
