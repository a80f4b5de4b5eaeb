import Engine
import Foundation
import Store
import Testing

@Suite("Records of auth collections")
final class AuthRecordTests {
    private let folder: URL
    private let database: Database
    private let saver: RecordSaver
    private let users: Collection

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "roost-auth-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        database = try Database(path: folder.appending(path: "data.db").path)
        let environment = SchemaEnvironment(types: SchemaFieldType.registry, ruleError: { _, _, _ in nil })
        let schema = try database.writeAndWait {
            try Bootstrap(environment).prepareData($0.connection)
            return try SchemaLoader(types: environment.types).load($0.connection, version: 1)
        }
        saver = RecordSaver(schema: schema, hooks: HookRegistry())
        users = try #require(schema.collection(name: "users"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func insert() throws -> String {
        let user = Record(new: users)
        for field in users.fields { user[field.name] = .text("") }
        user["verified"] = .bool(false)
        for (name, value) in ["id": "user00000000001", "email": "a@example.com", "tokenKey": "k", "password": "old"] {
            user[name] = .text(value)
        }
        try database.writeAndWait { try saver.save(user, in: $0, validates: false) }
        return user.id
    }

    private func load(_ id: String) throws -> Record {
        try #require(try database.read { try $0.record(id: id, in: users) })
    }

    private func save(_ record: Record) throws {
        try database.writeAndWait { try saver.save(record, in: $0, validates: false) }
    }

    @Test("a change that was begun before the password changed does not undo it")
    func overtaken() throws {
        let id = try insert()
        for (name, value) in [
            ("password", Value.text("thief's")), ("email", .text("thief@example.com")), ("tokenKey", .text("known")),
            ("verified", .bool(true)),
        ] {
            let begun = try load(id)
            begun[name] = value
            let owner = try load(id)
            owner["password"] = .text("owner's before \(name)")
            try save(owner)
            #expect(throws: ServiceError.self) { try save(begun) }
            let kept = try load(id)
            #expect(kept.values == owner.values)
        }
        // What is no one's way in may be changed by both.
        let begun = try load(id)
        begun["name"] = .text("A")
        let owner = try load(id)
        owner["password"] = .text("owner's")
        try save(owner)
        try save(begun)
        let kept = try load(id)
        #expect(kept["name"] == .text("A"))
        #expect(kept["password"] == .text("owner's"))
        #expect(kept["tokenKey"] == owner["tokenKey"])
    }

    @Test("one change after the other")
    func inOrder() throws {
        let record = try load(insert())
        for number in 1...3 {
            record["password"] = .text("\(number)")
            try save(record)
        }
        #expect(try load(record.id)["password"] == .text("3"))
    }
}
