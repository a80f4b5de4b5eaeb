internal import Engine
internal import JSON
internal import PluginABI

/// A field type that a plugin brought.
///
/// `@unchecked Sendable`: all is constant; the functions of the table may be called from any thread by the ABI.
final class CFieldType: FieldType, @unchecked Sendable {
    let id: String
    let plugin: LoadedPlugin
    let settings: [FieldSetting]
    /// A copy, so that a call costs no look at the plugin's memory.
    let table: roost_field_type_v1
    let instance: UnsafeMutableRawPointer?
    /// How its values are compared in queries; nil when that is by the column.
    let query: roost_field_query_v1?

    var pluginID: String { plugin.id }

    /// - Throws: ``PluginProblem`` when the table is no field type.
    init(
        table: roost_field_type_v1, instance: UnsafeMutableRawPointer?, plugin: LoadedPlugin
    ) throws(PluginProblem) {
        guard let id = table.id.text, Manifest.isFieldTypeID(id) else {
            throw PluginProblem(.failed, "the id of a field type may have letters and digits only")
        }
        guard table.open != nil, table.close != nil, table.normalise != nil else {
            throw PluginProblem(.failed, "the field type \"\(id)\" lacks open, close or normalise")
        }
        let description: JSON
        do {
            description =
                table.settings.length == 0
                ? .array([]) : try JSONParser.parse(table.settings.buffer ?? UnsafeBufferPointer(start: nil, count: 0))
        } catch {
            throw PluginProblem(.failed, "the settings of the field type \"\(id)\" are not JSON: \(error)")
        }
        do {
            settings = try FieldSetting.parse(description)
        } catch {
            throw PluginProblem(.failed, "the field type \"\(id)\" cannot be used: \(error.message)")
        }
        self.id = id
        self.table = table
        self.instance = instance
        self.plugin = plugin
        query = nil
    }

    /// The same type with a say in queries.
    init(_ type: CFieldType, query: roost_field_query_v1) {
        id = type.id
        plugin = type.plugin
        settings = type.settings
        table = type.table
        instance = type.instance
        self.query = query
    }

    func validate(_ field: Field, in context: FieldSettingsContext) -> [String: FieldFailure] {
        guard plugin.isUsable else { return ["type": CFieldInstance.unusable(id)] }
        guard let validate = table.validate_settings else { return [:] }
        let text = field.json.serialized()
        let collection = CollectionDocument.json(context.collection, includingSecrets: false).serialized()
        let original = context.original?.field(id: context.fieldID)?.json.serialized() ?? ""
        return withCall(plugin) { call in
            call.schema = context.schema
            let status = withBytes(text) { text in
                withBytes(collection) { collection in
                    withBytes(original) { validate(instance, call.pointer, text, collection, $0) }
                }
            }
            if status >= 0 { return [:] }
            if !call.fieldFailures.isEmpty {
                return Dictionary(
                    call.fieldFailures.map { ($0.field, $0.failure) }, uniquingKeysWith: { first, _ in first })
            }
            if call.failure == nil {
                plugin.logOnce("The field type \"\(id)\" refused settings without saying why (status \(status)).")
            }
            return ["name": call.fieldFailure("name")]
        }
    }

    func open(_ settings: JSONObject, name: String, isSystem: Bool) throws -> any FieldInstance {
        guard plugin.isUsable, let open = table.open, let close = table.close else {
            throw ServiceError.internal("The plugin \(plugin.id) is not running.")
        }
        var document = settings
        document["name"] = .string(name)
        document["system"] = .bool(isSystem)
        var opened: UnsafeMutableRawPointer?
        var shape = roost_field_shape()
        try withCall(plugin) { call in
            let status = withBytes(JSON.object(document).serialized()) {
                open(instance, call.pointer, $0, &opened, &shape)
            }
            if status < 0 { throw call.error(status, field: name) }
        }
        do {
            let shape = try FieldShape(checking: shape)
            let field = CFieldInstance(type: self, opened: opened, name: name, shape: shape)
            if query != nil { FieldQueries.insert(field) }
            return field
        } catch {
            close(opened)
            plugin.log(8, "The field type \"\(id)\" opened \"\(name)\" with a wrong shape: \(error.message)")
            throw ServiceError.internal("The field type \"\(id)\" is broken: \(error.message)")
        }
    }
}
