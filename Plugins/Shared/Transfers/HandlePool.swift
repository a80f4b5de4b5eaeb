internal import CCurl
internal import Synchronization

/// libcurl's handles that are not in use, each with the connection that it had.
///
/// `@unchecked Sendable`: a handle is used by one thread at a time, by whom it was taken out.
package final class HandlePool: @unchecked Sendable {
    private static let most = 16

    private let idle = Mutex<[UInt]>([])

    package init() {}

    deinit {
        for handle in idle.withLock({ $0 }) { roost_curl_easy_cleanup(UnsafeMutableRawPointer(bitPattern: handle)) }
    }

    package func withHandle<R>(_ body: (UnsafeMutableRawPointer) throws -> R) throws -> R {
        if let problem = roost_curl_load() { throw HTTPError(String(cString: problem)) }
        let kept = idle.withLock { $0.popLast() }
        guard let handle = kept.flatMap({ UnsafeMutableRawPointer(bitPattern: $0) }) ?? roost_curl_easy_init() else {
            throw HTTPError("libcurl cannot be used")
        }
        do {
            let result = try body(handle)
            let isKept = idle.withLock { idle in
                guard idle.count < Self.most else { return false }
                idle.append(UInt(bitPattern: handle))
                return true
            }
            if !isKept { roost_curl_easy_cleanup(handle) }
            return result
        } catch {
            // After a transfer that failed early, libcurl 7.88 takes some options for set and refuses them.
            roost_curl_easy_cleanup(handle)
            throw error
        }
    }
}
