import CRE2
import Glibc
import JSON
import PluginABI
import Synchronization

/// What a plugin sees of a host, in memory: one record, a set of ids that exist, failures as they were given.
///
/// The C tables are global, as they are in the real host, and so is what they work on: tests that use it run one at a
/// time (`.serialized`), on one thread.
final class FakeHost {
    struct Noted: Equatable {
        var field: String
        var code: String
        var message: String
        var params: JSON
    }

    nonisolated(unsafe) static var failures: [Noted] = []
    nonisolated(unsafe) static var registered:
        [(type: UnsafePointer<roost_field_type_v1>, instance: UnsafeMutableRawPointer?)] = []
    nonisolated(unsafe) static var record: [String: Held] = [:]
    nonisolated(unsafe) static var original: [String: Held]?
    nonisolated(unsafe) static var existing: Set<String> = []
    nonisolated(unsafe) static var collections: [String: String] = [:]
    nonisolated(unsafe) static var scratch: [UnsafeMutableRawPointer] = []
    nonisolated(unsafe) static var randomText: [String] = []

    /// A value whose bytes live as long as this does.
    final class Held {
        let raw: roost_value
        init(_ value: roost_value) {
            var copy = value
            copy.bytes.data = nil
            if value.bytes.length > 0, let source = value.bytes.data {
                let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: Int(value.bytes.length))
                memory.initialize(from: source, count: Int(value.bytes.length))
                copy.bytes.data = UnsafePointer(memory)
            }
            raw = copy
        }
        convenience init(_ json: JSON) {
            var value = roost_value()
            var text = ""
            switch json {
            case .null: value.kind = ROOST_NULL
            case .bool(let bool):
                value.kind = ROOST_BOOL
                value.integer = bool ? 1 : 0
            case .number(let number):
                value.kind = ROOST_NUMBER
                value.number = number
            case .string(let string):
                value.kind = ROOST_TEXT
                text = string
            case .array, .object:
                value.kind = ROOST_JSON
                text = json.serialized()
            }
            let bytes = Array(text.utf8)
            self.init(
                bytes.withUnsafeBufferPointer {
                    value.bytes = roost_bytes(data: $0.baseAddress, length: UInt64($0.count))
                    return Kept(value).raw
                })
        }
        deinit { raw.bytes.data?.deallocate() }
        var text: String { string(raw.bytes) }
    }

    /// As ``Held``, never released: for values on their way.
    private struct Kept {
        let raw: roost_value
        init(_ value: roost_value) {
            var copy = value
            copy.bytes.data = nil
            if value.bytes.length > 0, let source = value.bytes.data {
                let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: Int(value.bytes.length))
                memory.initialize(from: source, count: Int(value.bytes.length))
                copy.bytes.data = UnsafePointer(memory)
                FakeHost.scratch.append(UnsafeMutableRawPointer(memory))
            }
            raw = copy
        }
    }

    static func string(_ bytes: roost_bytes) -> String {
        String(decoding: UnsafeBufferPointer(start: bytes.data, count: Int(bytes.length)), as: UTF8.self)
    }

    static func bytes(_ text: String) -> roost_bytes {
        let copy = Array(text.utf8)
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(copy.count, 1))
        memory.initialize(from: copy, count: copy.count)
        scratch.append(UnsafeMutableRawPointer(memory))
        return roost_bytes(data: UnsafePointer(memory), length: UInt64(copy.count))
    }

    static func endCall() {
        for memory in scratch { free(memory) }
        scratch = []
        failures = []
    }

    /// An address that nobody follows.
    nonisolated(unsafe) static let call = OpaquePointer(bitPattern: 16)!

    nonisolated(unsafe) static let host: UnsafePointer<roost_host> = {
        var value = roost_host()
        value.abi_major = 1
        value.version = bytes("1.0.0")
        value.settings = bytes("{}")
        scratch = []
        value.get_table = { _, id in
            switch string(id) {
            case ROOST_TABLE_FIELD_TYPE: UnsafeRawPointer(fieldTypes)
            case ROOST_TABLE_RECORDS: UnsafeRawPointer(records)
            case ROOST_TABLE_TEXT: UnsafeRawPointer(text)
            default: nil
            }
        }
        value.scratch = { _, size in
            let memory = malloc(Int(size))
            if let memory { scratch.append(memory) }
            return memory
        }
        value.fail = { _, _, code, message in
            failures.append(Noted(field: "", code: string(code), message: string(message), params: .null))
        }
        value.fail_field = { _, field, code, message, params in
            let json = params.length == 0 ? nil : try? JSONParser.parse(string(params))
            failures.append(
                Noted(field: string(field), code: string(code), message: string(message), params: json ?? .null))
        }
        let pointer = UnsafeMutablePointer<roost_host>.allocate(capacity: 1)
        pointer.initialize(to: value)
        return UnsafePointer(pointer)
    }()

    nonisolated(unsafe) private static let fieldTypes: UnsafePointer<roost_field_types_v1> = {
        var table = roost_field_types_v1()
        table.add = { _, type, instance in
            if let type { registered.append((type, instance)) }
            return ROOST_OK
        }
        let pointer = UnsafeMutablePointer<roost_field_types_v1>.allocate(capacity: 1)
        pointer.initialize(to: table)
        return UnsafePointer(pointer)
    }()

    nonisolated(unsafe) private static let records: UnsafePointer<roost_records_v1> = {
        var table = roost_records_v1()
        table.get = { _, name, out in
            guard let held = record[string(name)] else { return ROOST_ENOTFOUND }
            out?.pointee = held.raw
            return ROOST_OK
        }
        table.get_original = { _, name, out in
            guard let held = original?[string(name)] else { return ROOST_ENOTFOUND }
            out?.pointee = held.raw
            return ROOST_OK
        }
        table.set = { _, name, value, _ in
            if let value { record[string(name)] = Held(value.pointee) }
            return ROOST_OK
        }
        table.is_new = { _ in original == nil ? 1 : 0 }
        table.find_by = { _, _, _, _, value, _, out in
            let wanted = value.map { string($0.pointee.bytes) } ?? ""
            guard existing.contains(where: { $0.lowercased() == wanted.lowercased() }) else { return ROOST_ENOTFOUND }
            out?.pointee.id = 1
            return ROOST_OK
        }
        table.count_ids = { _, _, _, ids, out in
            let list = (try? JSONParser.parse(string(ids)))?.arrayValue ?? []
            out?.pointee = UInt64(list.filter { existing.contains($0.stringValue ?? "") }.count)
            return ROOST_OK
        }
        table.collection = { _, name, out in
            guard let json = collections[string(name)] else { return ROOST_ENOTFOUND }
            out?.pointee = bytes(json)
            return ROOST_OK
        }
        let pointer = UnsafeMutablePointer<roost_records_v1>.allocate(capacity: 1)
        pointer.initialize(to: table)
        return UnsafePointer(pointer)
    }()

    nonisolated(unsafe) private static let text: UnsafePointer<roost_text_v1> = {
        var table = roost_text_v1()
        table.compile_pattern = { _, pattern, out in
            var error = [CChar](repeating: 0, count: 200)
            guard let compiled = cre2_compile(pattern.data, Int(pattern.length), &error, error.count) else {
                return ROOST_EFAILED
            }
            out?.pointee = compiled
            return ROOST_OK
        }
        table.release_pattern = { cre2_release($0) }
        table.matches = { pattern, text in UInt32(cre2_matches(pattern, text.data, Int(text.length))) }
        table.random_from_pattern = { _, pattern, out in
            out?.pointee = bytes(randomText.isEmpty ? string(pattern) : randomText.removeFirst())
            return ROOST_OK
        }
        table.random_bytes = { out, length in
            for index in 0..<Int(length) { out?[index] = UInt8.random(in: 0...255) }
        }
        table.pattern_fault = { _, pattern, out in
            var error = [CChar](repeating: 0, count: 200)
            if let compiled = cre2_compile(pattern.data, Int(pattern.length), &error, error.count) {
                cre2_release(compiled)
                return ROOST_ENOTFOUND
            }
            out?.pointee = bytes("error parsing regexp")
            return ROOST_OK
        }
        let pointer = UnsafeMutablePointer<roost_text_v1>.allocate(capacity: 1)
        pointer.initialize(to: table)
        return UnsafePointer(pointer)
    }()
}
