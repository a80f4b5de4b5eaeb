import CVips
import Glibc

/// Makes one thumb after the other.
struct Thumbnailer {
    struct Failure: Error {
        let reason: String
        static var vips: Failure { Failure(reason: String(cString: roost_vips_problem())) }
    }

    /// The most pixels that an image may have; known from its head, before anything is decoded.
    let maxPixels: Int

    /// - Parameters:
    ///   - source: the path of the image.
    ///   - target: where the thumb is written.
    ///   - type: the image's MIME type, by which the thumb's format is chosen.
    func make(source: String, target: String, size: String, type: String) throws(Failure) {
        if let problem = roost_vips_load() { throw Failure(reason: String(cString: problem)) }
        guard let size = ThumbSize(size) else { throw Failure(reason: "the size \(size) makes no sense") }
        guard let format = Self.format(of: source) else { throw Failure(reason: "it is no image of a known format") }
        let full = try Image(roost_vips_open(source, format, 1))
        guard full.width * full.height <= maxPixels else {
            throw Failure(reason: "it has \(full.width)x\(full.height) pixels, which is too many")
        }
        let orientation = Int(roost_vips_orientation(full.raw))
        let isTurned = orientation >= 5
        let seen = size.plan(
            sourceWidth: isTurned ? full.height : full.width, sourceHeight: isTurned ? full.width : full.height)
        guard var plan = seen?.stored(orientation, width: full.width, height: full.height) else {
            throw Failure(reason: "the thumb would be too large")
        }
        var image = full
        // What is much larger than its thumb need not be decoded in full.
        let reduction = min(plan.cropWidth / max(plan.width, 1), plan.cropHeight / max(plan.height, 1))
        if format == ROOST_IMAGE_JPEG, reduction >= 2 {
            let shrink: Int32 = reduction >= 8 ? 8 : reduction >= 4 ? 4 : 2
            image = try Image(roost_vips_open(source, format, shrink))
            plan = plan.scaled(from: (full.width, full.height), to: (image.width, image.height))
        }
        if plan.cropWidth < image.width || plan.cropHeight < image.height {
            image = try Image(
                roost_vips_crop(
                    image.raw, Int32(plan.left), Int32(plan.top), Int32(plan.cropWidth), Int32(plan.cropHeight)))
        }
        image = try Image(roost_vips_resize(image.raw, Int32(plan.width), Int32(plan.height)))
        if orientation > 1 { image = try Image(roost_vips_turn(image.raw)) }
        if let cut = plan.cut {
            image = try Image(
                roost_vips_crop(image.raw, Int32(cut.left), Int32(cut.top), Int32(size.width), Int32(size.height)))
        }
        let output = type == "image/jpeg" ? ROOST_IMAGE_JPEG : type == "image/gif" ? ROOST_IMAGE_GIF : ROOST_IMAGE_PNG
        guard roost_vips_save(image.raw, target, output) == 0 else { throw .vips }
    }

    /// Which of the formats that are decoded a file has, by its first bytes.
    private static func format(of path: String) -> Int32? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let head = [UInt8](unsafeUninitializedCapacity: 12) { buffer, count in
            count = max(read(descriptor, buffer.baseAddress, buffer.count), 0)
        }
        if head.starts(with: [0xFF, 0xD8, 0xFF]) { return ROOST_IMAGE_JPEG }
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return ROOST_IMAGE_PNG }
        if head.starts(with: "GIF87a".utf8) || head.starts(with: "GIF89a".utf8) { return ROOST_IMAGE_GIF }
        if head.count == 12, head.starts(with: "RIFF".utf8), head[8...].elementsEqual("WEBP".utf8) {
            return ROOST_IMAGE_WEBP
        }
        return nil
    }
}

/// An image of libvips'.
private final class Image {
    let raw: OpaquePointer

    init(_ raw: OpaquePointer?) throws(Thumbnailer.Failure) {
        guard let raw else { throw .vips }
        self.raw = raw
    }

    deinit { roost_vips_close(raw) }

    var width: Int { Int(roost_vips_width(raw)) }
    var height: Int { Int(roost_vips_height(raw)) }
}
