/// What a thumb's size means for an image, in the notation of PocketBase: `WxH`, with `t`, `b` or `f` behind it, or with
/// 0 for one of both.
struct ThumbSize: Equatable {
    enum Fit: Equatable {
        /// The other side follows.
        case width, height
        /// Fills the box; what is too much goes.
        case center, top, bottom
        /// Lies in the box; small ones stay as they are.
        case inside
    }

    /// A part of an image and the size that it becomes.
    struct Plan: Equatable {
        var left = 0
        var top = 0
        var cropWidth: Int
        var cropHeight: Int
        var width: Int
        var height: Int
        /// What is cut out of that in the end, as it is seen.
        var cut: Cut?
    }

    struct Cut: Equatable {
        var left: Int
        var top: Int
    }

    let width: Int
    let height: Int
    let fit: Fit

    /// The most pixels that a thumb may have.
    static let largest = 50_000_000

    init?(_ text: String) {
        var digits = text[...]
        let mark = digits.last.flatMap { "tbf".contains($0) ? $0 : nil }
        if mark != nil { digits = digits.dropLast() }
        let parts = digits.split(separator: "x", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        guard parts.count == 2, isPlain, let width = Int(parts[0]), let height = Int(parts[1]),
            width > 0 || height > 0, max(width, height) <= 100_000
        else { return nil }
        self.width = width
        self.height = height
        fit =
            width == 0
            ? .height
            : height == 0 ? .width : mark == "t" ? .top : mark == "b" ? .bottom : mark == "f" ? .inside : .center
    }

    /// - Parameters:
    ///   - sourceWidth: as the image is to be seen, in pixels.
    /// - Returns: nil for a thumb that would be too large.
    func plan(sourceWidth: Int, sourceHeight: Int) -> Plan? {
        var plan = Plan(cropWidth: sourceWidth, cropHeight: sourceHeight, width: width, height: height)
        let (across, down) = (Double(sourceWidth), Double(sourceHeight))
        switch fit {
        case .width: plan.height = max(1, Int(Double(width) * down / across + 0.5))
        case .height: plan.width = max(1, Int(Double(height) * across / down + 0.5))
        case .inside:
            if sourceWidth <= width, sourceHeight <= height {
                (plan.width, plan.height) = (sourceWidth, sourceHeight)
            } else if across / down > Double(width) / Double(height) {
                plan.height = max(1, Int(Double(width) / (across / down)))
            } else {
                plan.width = max(1, Int(Double(height) * (across / down)))
            }
        case .center, .top, .bottom:
            let isNarrow = across / down < Double(width) / Double(height)
            // Few pixels are cut when there are more of them.
            if min(sourceWidth, sourceHeight) < 100 {
                if isNarrow {
                    plan.height = max(height, Int(Double(width) * down / across + 0.5))
                } else {
                    plan.width = max(width, Int(Double(height) * across / down + 0.5))
                }
                let room = plan.height - height
                plan.cut = Cut(
                    left: (plan.width - width) / 2, top: fit == .top ? 0 : fit == .bottom ? room : room / 2)
                if plan.width * plan.height <= Self.largest { return plan }
                plan = Plan(cropWidth: sourceWidth, cropHeight: sourceHeight, width: width, height: height)
            }
            if isNarrow {
                plan.cropHeight = min(sourceHeight, Int(max(1, across * Double(height) / Double(width)) + 0.5))
            } else {
                plan.cropWidth = min(sourceWidth, Int(max(1, down * Double(width) / Double(height)) + 0.5))
            }
            plan.left = (sourceWidth - plan.cropWidth) / 2
            let room = sourceHeight - plan.cropHeight
            plan.top = fit == .top ? 0 : fit == .bottom ? room : room / 2
        }
        return plan.width * plan.height <= Self.largest ? plan : nil
    }
}

extension ThumbSize.Plan {
    /// The same for the image as it is stored, which EXIF's orientation turns when it is seen.
    ///
    /// - Parameters:
    ///   - width: of the stored image.
    func stored(_ orientation: Int, width: Int, height: Int) -> ThumbSize.Plan {
        var plan = self
        if orientation >= 5 {
            (plan.left, plan.top) = (top, left)
            (plan.cropWidth, plan.cropHeight) = (cropHeight, cropWidth)
            (plan.width, plan.height) = (self.height, self.width)
        }
        // Which sides of the stored image are seen at the right and at the bottom.
        if [2, 3, 7, 8].contains(orientation) { plan.left = width - plan.left - plan.cropWidth }
        if [3, 4, 6, 7].contains(orientation) { plan.top = height - plan.top - plan.cropHeight }
        return plan
    }

    /// The same for an image that was decoded at a part of its size.
    func scaled(from full: (width: Int, height: Int), to small: (width: Int, height: Int)) -> ThumbSize.Plan {
        var plan = self
        let across = Double(small.width) / Double(full.width)
        let down = Double(small.height) / Double(full.height)
        plan.left = min(Int(Double(left) * across + 0.5), small.width - 1)
        plan.top = min(Int(Double(top) * down + 0.5), small.height - 1)
        plan.cropWidth = max(1, min(Int(Double(cropWidth) * across + 0.5), small.width - plan.left))
        plan.cropHeight = max(1, min(Int(Double(cropHeight) * down + 0.5), small.height - plan.top))
        return plan
    }
}
