import Glibc
import JSON
import Store
import Synchronization
import Testing

@testable import Engine

private let key = "0123456789abcdef0123456789abcdef"

/// What PocketBase 0.40.6 stored with the key above.
private let sealed =
    """
    pVnsdOEeyI6FXE3BNgJPBeYyMZ5RtKDXu9VixIfFHm6sS+N842oZn9iSlkImX0g7+CE1vZJjj8ylOq/G944cWIc1D9SQM7Gpv2fh\
    QoRW6KvAEUzhgTN0wPw4at3Z37DTC9mb0LL/FuuPOGJTMqtMoaYubs1/frM1tRO2yYSadUptZ6jRFnOkgNbXxP7tCViBQlxtxnGb\
    iFwEU475U5/yxydmZGzxywk9PCFE3xmUdmYqJwvH/Kv1gn7BRE0I6v/r6RxwXPxATYi/cIMfrvlJE1Kwgy9kPNaKSkAVqzofgfSN\
    e9zCyg6OE7w0l9i+cr2B+J+ReDSLxQNf+6MkEpr4o7BWD2t3vK67aPXaeuMlDVfs3+RUpoarjpRJhLZzTBNn6NnLhvkpHT+oqjgu\
    s7YPD3tPW1TjAhvXH0805YJt0+tWQtyRwieJLCIRMBCWy1B+HT72yejb/4A9ID/gtjrwdDiYNw+JeRpkvKHi13o+gGKYrLi90rdk\
    Vz8iGDECcYSa8TrdKl365KDMuKj+TsazOJeYSx3icPlwCHTeiBV/4JGsPJaFW7v0rT+umWKNzYUI+n1KNtj3Dgu39CO2quCfzOw/\
    D8Swh4JcQif6gtQlwiptn5VKrXl7CMq05WmMlURiUDuFoaK/u102tqbgwxuubZuipUB0WuUdCa08KXs70CZmMv0uEjIJ/6h/oaRK\
    SN5MCz7Ca8NJIHtNeqGxhvahhbu2I/ROXI+zUVIKRXxP6UfC9tyqSetK2FzIwu/WpICtJO5zWHBqlT4KxMw7/1BtQKlBXli7+5Bi\
    kjafp3aT3tv9rQrplukZuhROTPJt0/tArBS1FuiVQhffPHgBtQ7DC1KsMxR1Q560Wov4E6ybDGw9uV4o12ZvwhbL3gRT0SECFSTW\
    faovQMW+DzqvfhYiSpHL2gW1BVQwGGr3NDzlcCHkN8u/ADR6A+gvekG9H9cUt8It+93Nd4tY3MUCidmmZmYoRGi5z2Y2Ze2ADAm2\
    KHvjdQCqG5OoaM1JfB9hhqP9X8PecxdVuPo+0SkH5nPW0iTWf4nk7jyMWEE+fhpctj+5vlaHGqeIPwBbb4Psfs2NpmwqMMGzMm1L\
    7Mwq2B3Fk0s6t99Fxb4t48l5jr63RJW4kxnDYTlbKuVbGRyLXwp+SCEOZDqj4fm19Rb7+//tyavi/3JVrBvQOin501q5lejqjdSF\
    vRQqcpf2jGMffLCSWSRwMlL1LM8X8f84HjCmrST1PO5wDA3BbBGt/TejoaDTUou0ub2tyUlSXMYLY/KT6UzeWG5U//dL1RqpdHtO\
    SHOIxZCRYtWNZGqZMduDpue0wcT3UeVKXJCtPzbpZpUrRVkCV31w3lNqIeOFp8cYjr7Of9YBiH7e2OTRfI+DJ3TEBL3C6j07pJkq\
    f8/dbDQUGCP0xwh+4YCKdRASjZlRfOBuoN12++eh6R9Z5W68DasoXTjh962q0Yy4UTfY2es/c3e+wF//F186wTbz9HFbZxyMHZs=
    """

@Suite("Stored settings")
struct SettingsStoreTests {
    /// A database with an empty `_params`, gone when the body ends.
    private func withDatabase(_ body: (Database) throws -> Void) throws {
        let path = "/tmp/roost-settings-\(RandomText.make(12)).db"
        let database = try Database(path: path)
        defer {
            database.close()
            for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        }
        try database.writeAndWait { transaction in
            try transaction.connection.run(
                "CREATE TABLE `_params` (`id` TEXT PRIMARY KEY NOT NULL, `value` JSON DEFAULT NULL, "
                    + "`created` TEXT DEFAULT '' NOT NULL, `updated` TEXT DEFAULT '' NOT NULL)")
        }
        try body(database)
    }

    private func put(_ value: SQLValue, _ database: Database) throws {
        _ = try database.writeAndWait {
            try $0.connection.run("INSERT INTO `_params` (`id`, `value`) VALUES ('settings', ?)", [value])
        }
    }

    private func stored(_ database: Database) throws -> SQLValue? {
        try database.read { try $0.scalar("SELECT `value` FROM `_params` WHERE `id` = 'settings'") }
    }

    @Test("a folder without settings has the defaults")
    func missing() throws {
        try withDatabase { (database) throws in
            let store = SettingsStore()
            #expect(try database.read { try !store.load($0, encryptionKey: nil) })
            #expect(store.current == .defaults)
        }
    }

    @Test("saved settings are in use after the commit and read again by the next start")
    func saves() throws {
        try withDatabase { (database) throws in
            let store = SettingsStore()
            try database.read { _ = try store.load($0, encryptionKey: "") }
            var settings = store.current
            settings.meta.appName = "Blog <é>"
            settings.superuserIPs = ["127.0.0.1"]
            try database.writeAndWait { transaction in
                try store.save(settings, in: transaction)
                #expect(store.current == .defaults)
            }
            #expect(store.current == settings)
            #expect(store.snapshot.superuserIPs.contains("127.0.0.1"))
            #expect(try stored(database)?.blobValue == settings.storedJSON.serializedBytes())

            settings.meta.appName = "Second"
            try database.writeAndWait { try store.save(settings, in: $0) }
            let fresh = SettingsStore()
            #expect(try database.read { try fresh.load($0, encryptionKey: nil) })
            #expect(fresh.current == settings)
            let row = try database.read { try $0.firstRow("SELECT `created`, `updated` FROM `_params`") }
            #expect(row?.allSatisfy { $0.textValue?.count == 24 } == true)
        }
    }

    @Test("settings of a transaction that fails are not in use")
    func rollsBack() throws {
        struct Stop: Error {}
        try withDatabase { (database) throws in
            let store = SettingsStore()
            let called = Mutex(0)
            store.onChange { _ in called.withLock { $0 += 1 } }
            var settings = store.current
            settings.meta.appName = "Lost"
            #expect(throws: Stop.self) {
                try database.writeAndWait {
                    try store.save(settings, in: $0)
                    throw Stop()
                }
            }
            #expect(store.current == .defaults)
            #expect(called.withLock { $0 } == 0)
            #expect(try database.read { try $0.rows("SELECT `id` FROM `_params`") }.isEmpty)
        }
    }

    @Test("observers hear of each change")
    func observes() throws {
        try withDatabase { (database) throws in
            let store = SettingsStore()
            let names = Mutex<[String]>([])
            store.onChange { settings in names.withLock { $0.append(settings.meta.appName) } }
            try database.read { _ = try store.load($0, encryptionKey: nil) }
            var settings = store.current
            settings.meta.appName = "Blog"
            try database.writeAndWait { try store.save(settings, in: $0) }
            #expect(names.withLock { $0 } == ["Acme", "Blog"])
        }
    }

    @Test("settings that an older PocketBase stored get the defaults of what it did not know")
    func older() throws {
        let settings = try SettingsStore.read(
            Array(#"{"meta":{"appName":"Old"},"logs":{"maxDays":7},"gone":true}"#.utf8), key: nil)
        #expect(settings.meta.appName == "Old")
        #expect(settings.meta.accentColor == "#1055c9")
        #expect(settings.logs.maxDays == 7 && settings.logs.logIP)
        #expect(settings.storedJSON["gone"] == nil)
    }

    @Test("settings that PocketBase encrypted are read with their key")
    func opensSealed() throws {
        try withDatabase { (database) throws in
            try put(.text(sealed), database)
            let store = SettingsStore()
            #expect(try database.read { try store.load($0, encryptionKey: key) })
            #expect(store.current.meta.appName == "Sealed <é>")
            #expect(store.current.smtp.password == "pw")
            #expect(store.current.s3.secret == "s3s")
        }
    }

    @Test("encrypted settings are refused without their key, with another one, and when altered")
    func refusesSealed() throws {
        let bytes = Array(sealed.utf8)
        #expect(throws: SettingsError.missingKey) { try SettingsStore.read(bytes, key: nil) }
        let other = String(repeating: "1", count: 32)
        #expect(throws: SettingsError.wrongKey) { try SettingsStore.read(bytes, key: other) }
        #expect(throws: SettingsError.wrongKey) { try SettingsStore.read(bytes, key: "short") }
        for position in [0, 40, bytes.count - 3] {
            var altered = bytes
            altered[position] = altered[position] == 0x41 ? 0x42 : 0x41
            #expect(throws: SettingsError.wrongKey) { try SettingsStore.read(altered, key: key) }
        }
        for text in ["", "AAAA", "====", "x", String(sealed.dropLast(4))] {
            #expect(throws: SettingsError.wrongKey) { try SettingsStore.read(Array(text.utf8), key: key) }
        }
        #expect(throws: SettingsError.wrongShape("maxDays")) {
            try SettingsStore.read(Array(#"{"logs":{"maxDays":"x"}}"#.utf8), key: nil)
        }
    }

    @Test("with a key settings are stored encrypted, each time otherwise")
    func seals() throws {
        try withDatabase { (database) throws in
            try put(.blob(Settings.defaults.storedJSON.serializedBytes()), database)
            let store = SettingsStore()
            try database.read { _ = try store.load($0, encryptionKey: key) }
            var settings = store.current
            settings.smtp.password = "pässword"
            try database.writeAndWait { try store.save(settings, in: $0) }
            let first = try #require(try stored(database)?.textValue)
            #expect(try SettingsStore.read(Array(first.utf8), key: key) == settings)
            try database.writeAndWait { try store.save(settings, in: $0) }
            #expect(try stored(database)?.textValue != first)
        }
    }

    @Test("a key that is none is refused when settings are to be stored with it")
    func refusesKey() {
        #expect(throws: SettingsError.unusableKey) { try SettingsStore.write(.defaults, key: "short") }
    }

    @Test("texts of every length survive encryption")
    func everyLength() {
        for length in 0..<70 {
            let plain = (0..<length).map { UInt8($0) }
            let sealed = SettingsCipher.encrypt(plain, key: key)
            #expect(sealed.flatMap { SettingsCipher.decrypt($0, key: key) } == plain)
        }
    }
}
