import Glibc

/// Why files could not be stored or read.
package struct FileError: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// The system's reason, or the one of its numbers that fits best.
    package let code: Int32
    /// Whether a storage elsewhere failed, not this machine.
    package let isElsewhere: Bool

    init(_ what: String, _ code: Int32 = errno) {
        self.code = code
        description = "\(what): \(String(cString: strerror(code)))"
        isElsewhere = false
    }

    private init(elsewhere words: String, _ code: Int32) {
        self.code = code
        description = words
        isElsewhere = true
    }

    /// With the reason that the last call of the system left.
    package static func last(_ what: String) -> FileError { FileError(what) }

    // Of a storage elsewhere, with its words.

    package static func missing(_ words: String) -> FileError { FileError(elsewhere: words, ENOENT) }
    package static func denied(_ words: String) -> FileError { FileError(elsewhere: words, EACCES) }
    package static func changed(_ words: String) -> FileError { FileError(elsewhere: words, ESTALE) }
    package static func failed(_ words: String) -> FileError { FileError(elsewhere: words, EIO) }
    /// The sink wanted no more.
    package static let stopped = FileError(elsewhere: "Nobody wants the rest.", ECANCELED)

    package var isFull: Bool { !isElsewhere && (code == ENOSPC || code == EDQUOT || code == EFBIG) }
    package var isMissing: Bool { code == ENOENT || code == ENOTDIR }
    package var isStopped: Bool { isElsewhere && code == ECANCELED }

    /// What a client is told whose files could not be stored.
    package var answer: ServiceError {
        if isFull { return ServiceError(status: 507, message: "The disk is full; nothing was changed.") }
        if isElsewhere {
            return ServiceError(
                status: 503, message: "The file storage cannot be used now; nothing was changed. Try again later.")
        }
        return ServiceError(status: 500, message: "The files could not be stored.")
    }

    /// What a client is told who cannot have a file now.
    package var readingAnswer: ServiceError {
        if isMissing { return .notFound() }
        return ServiceError(status: 503, message: "The file storage cannot be used now. Try again later.")
    }
}
