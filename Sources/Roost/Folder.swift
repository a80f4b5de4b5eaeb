import Glibc

/// Makes folders that are not there yet.
enum Folder {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// A folder of a name in the one that a folder is in.
    static func beside(_ path: String, _ name: String) -> String {
        let resolved = realpath(path, nil)
        defer { free(resolved) }
        let parts = resolved.map { String(cString: $0) } ?? path
        let parent = parts.lastIndex(of: "/").map { String(parts[..<$0]) } ?? "."
        return parent + "/" + name
    }

    /// Makes a folder and those above it.
    static func make(_ path: String) throws {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if mkdir(made, 0o755) != 0 && errno != EEXIST {
                throw Failure(description: "The folder \(path) cannot be made: \(String(cString: strerror(errno))).")
            }
        }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw Failure(description: "\(path) is not a folder.")
        }
    }
}
