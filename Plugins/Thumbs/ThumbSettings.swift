import Glibc
import PluginKit

/// The operator's settings of the plugin.
struct ThumbSettings: Sendable {
    /// Helpers that work at the same time.
    var processes: Int
    var maxPixels: Int
    /// What a helper may take, in bytes.
    var maxMemory: Int
    /// Seconds that an order may wait for its turn.
    var maxWait: Int

    init(_ json: JSONObject) {
        func number(_ key: String, _ usual: Int, _ range: ClosedRange<Int>) -> Int {
            guard let value = json[key]?.intValue.map({ Int($0) }), value > 0 else { return usual }
            return min(max(value, range.lowerBound), range.upperBound)
        }
        processes = number("processes", min(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1), 4), 1...64)
        maxPixels = number("maxMegapixels", 100, 1...10_000) * 1_000_000
        maxMemory = number("maxMemory", 768, 64...65_536) << 20
        maxWait = number("maxWait", 60, 1...3600)
    }
}
