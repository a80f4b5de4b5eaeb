internal import PluginABI

extension Host {
    /// Registers a kind of field.
    ///
    /// - Throws: ``HostError`` when another plugin brought that type.
    public func fieldType(_ type: any FieldType.Type) throws {
        guard let table = fieldTypesTable else { throw HostError.denied(ROOST_TABLE_FIELD_TYPE) }
        // The host keeps both for the life of the process.
        let box = Unmanaged.passRetained(FieldTypeBox(self, type))
        let raw = UnsafeMutablePointer<roost_field_type_v1>.allocate(capacity: 1)
        raw.initialize(to: FieldTypeBox.table(type))
        try check(table.pointee.add?(self.raw, raw, box.toOpaque()))
    }
}

/// A registered type: `instance` of its table.
private final class FieldTypeBox: Sendable {
    let host: Host
    let type: any FieldType.Type

    init(_ host: Host, _ type: any FieldType.Type) {
        self.host = host
        self.type = type
    }

    static func table(_ type: any FieldType.Type) -> roost_field_type_v1 {
        var table = roost_field_type_v1()
        table.id = .keepingForever(type.id)
        table.settings = .keepingForever(JSON.array(type.settings.map(\.json)).serialized())
        table.validate_settings = { instance, call, field, collection, original in
            guard let instance, let call else { return ROOST_EINVALID }
            let box = Unmanaged<FieldTypeBox>.fromOpaque(instance).takeUnretainedValue()
            return box.validateSettings(Call(call, box.host), field, collection, original)
        }
        table.open = { instance, call, field, opened, shape in
            guard let instance, let call, let opened, let shape else { return ROOST_EINVALID }
            let box = Unmanaged<FieldTypeBox>.fromOpaque(instance).takeUnretainedValue()
            return box.open(Call(call, box.host), field, opened, shape)
        }
        table.close = { opened in
            if let opened { Unmanaged<OpenedField>.fromOpaque(opened).release() }
        }
        table.normalise = { opened, context, value, out in
            guard let opened, let value, let out else { return ROOST_EINVALID }
            return Unmanaged<OpenedField>.fromOpaque(opened)._withUnsafeGuaranteedRef { opened in
                switch opened.field.normalise(BorrowedValue(value)) {
                case .unchanged: ROOST_UNCHANGED
                case .changed(let result): opened.hand(result, context, out)
                }
            }
        }
        table.modify = { opened, context, modifier, current, operand, out in
            guard let opened, let context, let current, let operand, let out else { return ROOST_EINVALID }
            guard let modifier = FieldModifier(rawValue: modifier) else { return ROOST_EUNSUPPORTED }
            return Unmanaged<OpenedField>.fromOpaque(opened)._withUnsafeGuaranteedRef { opened in
                opened.run(context) { context in
                    guard
                        let result = try opened.field.modify(
                            modifier, current: BorrowedValue(current), operand: BorrowedValue(operand), in: context)
                    else { return ROOST_EUNSUPPORTED }
                    return opened.hand(result, context.raw, out)
                }
            }
        }
        table.validate = { opened, context, value in
            guard let opened, let context, let value else { return ROOST_EINVALID }
            return Unmanaged<OpenedField>.fromOpaque(opened)._withUnsafeGuaranteedRef { opened in
                opened.run(context) {
                    try opened.field.validate(BorrowedValue(value), in: $0)
                    return ROOST_OK
                }
            }
        }
        table.intercept = { opened, context in
            guard let opened, let context else { return ROOST_EINVALID }
            return Unmanaged<OpenedField>.fromOpaque(opened)._withUnsafeGuaranteedRef { opened in
                opened.run(context) {
                    try opened.field.intercept(Moments(rawValue: context.pointee.moment), in: $0)
                    return ROOST_OK
                }
            }
        }
        return table
    }

    private func parse(_ bytes: roost_bytes, _ call: Call) throws -> FieldSettings {
        FieldSettings(json: try JSONParser.parse(bytes.buffer).objectValue ?? JSONObject(), call: call)
    }

    private func validateSettings(
        _ call: Call, _ field: roost_bytes, _ collection: roost_bytes, _ original: roost_bytes
    ) -> roost_status {
        var refused = false
        let status = call.run {
            let check = SettingsCheck(
                try parse(field, call), collection.length == 0 ? .null : try JSONParser.parse(collection.buffer),
                original.length == 0 ? nil : try parse(original, call))
            try type.validateSettings(check)
            refused = !check.failed.isEmpty
        }
        return status == ROOST_OK && refused ? ROOST_EFAILED : status
    }

    private func open(
        _ call: Call, _ field: roost_bytes, _ opened: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
        _ shape: UnsafeMutablePointer<roost_field_shape>
    ) -> roost_status {
        call.run {
            let field = OpenedField(try type.init(try parse(field, call)), host)
            shape.pointee = field.shape
            opened.pointee = Unmanaged.passRetained(field).toOpaque()
        }
    }
}

/// A field with its settings: `opened` of its table.
final class OpenedField {
    let field: any FieldType
    let host: Host
    private let unmanagedHost: Unmanaged<Host>
    private(set) var shape = roost_field_shape()

    init(_ field: any FieldType, _ host: Host) {
        self.field = field
        self.host = host
        unmanagedHost = Unmanaged.passUnretained(host)
        let description = field.shape
        shape.form = description.form.rawValue
        shape.moments = description.moments.rawValue
        shape.column = .copying(description.column.utf8)
        shape.max_body_size = Int64(description.maxBodySize)
        if description.isMultiple { shape.flags |= ROOST_SHAPE_MULTIPLE }
        if description.isFile { shape.flags |= ROOST_SHAPE_FILE }
        if description.isReadOnly { shape.flags |= ROOST_SHAPE_READ_ONLY }
        if let relation = description.relation {
            shape.relation = .copying(relation.collectionID.utf8)
            if relation.cascadeDelete { shape.flags |= ROOST_SHAPE_RELATION_CASCADE }
            if relation.isRequired { shape.flags |= ROOST_SHAPE_RELATION_REQUIRED }
        }
        shape.zero = description.zero.withRoostValue { raw in
            var zero = raw.pointee
            zero.bytes = .copying(raw.pointee.bytes.buffer)
            return zero
        }
    }

    deinit {
        shape.column.deallocateCopy()
        shape.relation.deallocateCopy()
        shape.zero.bytes.deallocateCopy()
    }

    /// Gives a value to the host, in memory that the host releases.
    func hand(
        _ value: Value, _ context: UnsafePointer<roost_field_context>?, _ out: UnsafeMutablePointer<roost_value>
    ) -> roost_status {
        value.withRoostValue { raw in
            var result = raw.pointee
            if result.bytes.length > 0 {
                guard let call = context?.pointee.call,
                    let copy = Call(call, host).scratch(result.bytes.buffer)
                else { return ROOST_ENOMEM }
                result.bytes = copy
            }
            out.pointee = result
            return ROOST_OK
        }
    }

    @inline(__always)
    func run(
        _ context: UnsafePointer<roost_field_context>, _ body: (FieldContext) throws -> roost_status
    ) -> roost_status {
        let context = FieldContext(raw: context, host: unmanagedHost)
        do {
            return try body(context)
        } catch {
            return Self.report(error, context)
        }
    }

    private static func report(_ error: any Error, _ context: FieldContext) -> roost_status {
        guard let call = context.call else { return ROOST_EINVALID }
        guard let failure = error as? Failure else { return call.report(error) }
        if failure.params.isEmpty {
            call.fail(status: 0, code: failure.code, message: failure.message)
        } else {
            call.fail(field: context.name, failure)
        }
        return ROOST_EFAILED
    }
}
