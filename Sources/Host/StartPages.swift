import CMalloc
import Dispatch
import Glibc

/// Gives back what only the start of the process needed: the pages of libraries and plugins that were read while they
/// were linked and registered, which are two thirds of all they have in memory.
///
/// Only pages of files that this process maps to read or run and has never written to are let go of; the kernel brings
/// back from its cache those that are used again, sixteen at a time (madvise(2), MADV_DONTNEED).
enum StartPages {
    /// Does so in the background, when the first requests have shown what is needed.
    static func releaseSoon() {
        DispatchQueue.global(qos: .utility).asyncAfter(deadline: .now() + 1) {
            for (start, length) in untouched(maps()) {
                madvise(UnsafeMutableRawPointer(bitPattern: start), length, MADV_DONTNEED)
            }
            malloc_trim(0)
        }
    }

    private static func maps() -> [UInt8] {
        let descriptor = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &part, part.count)
            guard count > 0 else { return text }
            text += part[..<count]
        }
    }

    /// The ranges of `/proc/self/smaps` (proc(5)) that belong to a file, are not writable, and hold no page of the
    /// process's own: what relocation wrote to is left alone.
    static func untouched(_ text: [UInt8]) -> [(start: UInt, length: Int)] {
        var ranges: [(start: UInt, length: Int)] = []
        var candidate: (start: UInt, length: Int)?
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "))
            guard let first = words.first else { continue }
            if first.last != UInt8(ascii: ":") {
                candidate = nil
                let bounds = first.split(separator: UInt8(ascii: "-"))
                guard words.count >= 6, bounds.count == 2, words[1].starts(with: "r-".utf8),
                    words[5].first == UInt8(ascii: "/"),
                    let start = UInt(String(decoding: bounds[0], as: UTF8.self), radix: 16),
                    let end = UInt(String(decoding: bounds[1], as: UTF8.self), radix: 16), end > start
                else { continue }
                candidate = (start, Int(end - start))
            } else if first.elementsEqual("Anonymous:".utf8), let range = candidate {
                if words.count > 1, words[1].elementsEqual("0".utf8) { ranges.append(range) }
                candidate = nil
            }
        }
        return ranges
    }
}
