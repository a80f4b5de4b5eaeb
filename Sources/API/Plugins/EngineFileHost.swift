package import Engine
package import JSON
import PluginHost
import Store

/// The engine's files for "roost.files/1".
package struct EngineFileHost: FileHost {
    private let engine: Engine

    package init(engine: Engine) { self.engine = engine }

    package var isElsewhere: Bool { engine.files.storages.isElsewhere(.records) }

    package func information(_ key: String) throws -> JSON? {
        do throws(FileError) {
            guard let file = try engine.files.storage.information(key) else { return nil }
            return [
                "size": .number(Double(file.size)), "modified": .number(Double(file.modified)),
                "contentType": .string(file.contentType),
            ]
        } catch { throw error.readingAnswer }
    }

    package func locate(_ record: Record, name: String) throws -> JSON? {
        guard !name.isEmpty, let field = FileLocator.field(of: record, with: name) else { return nil }
        let owner: Record? =
            record.collection.isView
            ? try engine.data.read { try FileLocator.origin(of: record, name, schema: engine.schema, on: $0) } : record
        guard let owner else { return nil }
        return [
            "key": .string("\(owner.collection.id)/\(owner.id)/\(name)"), "field": .string(field.name),
            "protected": .bool(field.settings["protected"]?.boolValue ?? false),
            "thumbs": field.settings["thumbs"] ?? [],
        ]
    }
}
