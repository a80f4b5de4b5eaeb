import Glibc
import JSON

/// Names of backups, as PocketBase makes and checks them.
package enum BackupName {
    /// What comes first in the names of backups made by the clock.
    package static let automatic = "@auto_pb_backup_"
    package static let manual = "pb_backup_"

    /// `pb_backup_acme_20240229120000.zip`
    package static func make(_ prefix: String, appName: String, seconds: Int64) -> String {
        var seconds = time_t(seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let stamp =
            "\(parts.tm_year + 1900)" + padded(parts.tm_mon + 1) + padded(parts.tm_mday) + padded(parts.tm_hour)
            + padded(parts.tm_min) + padded(parts.tm_sec)
        // PocketBase cuts bytes; a cut character would make a name that is no text.
        var name = snakeCase(appName)
        while name.utf8.count > 50 { name.removeLast() }
        return "\(prefix)\(name)_\(stamp).zip"
    }

    /// Words of letters and digits in lower case, joined with underscores; `ABCd` begins one word, `aB` two.
    static func snakeCase(_ text: String) -> String {
        var result = ""
        var previous: Unicode.Scalar?
        for scalar in text.unicodeScalars {
            guard isWord(scalar) else {
                previous = nil
                continue
            }
            if previous == nil {
                if !result.isEmpty { result += "_" }
            } else if isUpper(scalar), let previous, !isUpper(previous) {
                result += "_"
            }
            result.unicodeScalars.append(scalar)
            previous = scalar
        }
        return result.lowercased()
    }

    /// Go's `\w` without the underscore.
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "a"..."z", "A"..."Z": true
        default: false
        }
    }

    private static func isUpper(_ scalar: Unicode.Scalar) -> Bool { ("A"..."Z").contains(scalar) }

    /// What is wrong with a name that a user gave for a new backup; nil for a good one. The empty one is good: one is made.
    package static func failure(_ name: String) -> FieldFailure? {
        if name.isEmpty { return nil }
        if name.unicodeScalars.count > 150 {
            return FieldFailure(
                "validation_length_out_of_range", "The length must be between 1 and 150.",
                params: ["max": 150, "min": 1])
        }
        let stem = name.utf8.dropLast(4)
        let isGood =
            name.hasSuffix(".zip") && !stem.isEmpty
            && stem.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: "-")
            }
        return isGood ? nil : FieldFailure("validation_match_invalid", "Must be in a valid format.")
    }

    /// Whether a file of the backups' folder can have a name, whoever brought it.
    package static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 200 && !name.hasSuffix(".attrs")
            && !name.utf8.contains { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
    }
}
