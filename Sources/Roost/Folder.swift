import Glibc

/// Makes folders that are not there yet.
enum Folder {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The path of a folder beside another one.
    static func beside(_ path: String, _ name: String) -> String {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else {
            return path == "." || path == ".." ? "\(path)/../\(name)" : name
        }
        let last = path[path.index(after: slash)...]
        return last == "." || last == ".." ? "\(path)/../\(name)" : path[...slash] + name
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
