import Glibc
import Store
import Synchronization

/// A directory that goes when the test does.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/roost-store-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(message: "no scratch directory") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit {
        for name in names { unlink(file(name)) }
        rmdir(path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    var names: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func database(_ configure: (inout Database.Configuration) -> Void = { _ in }) throws -> Database {
        var configuration = Database.Configuration()
        // Which jobs share a transaction must not depend on how busy the machine is.
        configuration.maxBatchTime = .max
        configure(&configuration)
        let database = try Database(path: file("data.db"), configuration: configuration)
        try database.writeAndWait {
            try $0.connection.execute(
                "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB)")
        }
        return database
    }

    func write(_ name: String, _ bytes: [UInt8]) {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        _ = Glibc.write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    func read(_ name: String) -> [UInt8] {
        let descriptor = open(file(name), O_RDONLY)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var result: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &part, part.count)
            if count <= 0 { return result }
            result.append(contentsOf: part[..<count])
        }
    }
}

struct Failure: Error, Equatable {
    var message = "on purpose"
}

/// Something threads wait for.
final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)

    func open() { isOpen.store(true, ordering: .releasing) }

    /// Waits at most so long; false if that was not enough.
    @discardableResult
    func wait(milliseconds: Int = 10_000) -> Bool {
        for _ in 0..<milliseconds {
            if isOpen.load(ordering: .acquiring) { return true }
            usleep(1000)
        }
        return false
    }
}

/// A list that several threads add to.
final class Log<Element: Sendable>: Sendable {
    private let list = Mutex<[Element]>([])

    var elements: [Element] { list.withLock { $0 } }
    var count: Int { list.withLock { $0.count } }

    func append(_ element: Element) { list.withLock { $0.append(element) } }

    /// Waits until there are so many elements, at most ten seconds.
    @discardableResult
    func wait(for count: Int) -> Bool {
        for _ in 0..<10_000 {
            if self.count >= count { return true }
            usleep(1000)
        }
        return false
    }
}

extension Database {
    /// How many rows the test's table has.
    func rowCount() throws -> Int64? { try read { try $0.scalar("SELECT count(*) FROM t")?.intValue } }
}

/// Runs a body on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
            return nil
        }, Unmanaged.passRetained(Box(body)).toOpaque())
    pthread_detach(thread)
}
