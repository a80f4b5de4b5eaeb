internal import PluginABI

/// "roost.file-thumbs/1".
enum FileThumbsTable {
    static func make() -> roost_file_thumbs_v1 {
        roost_file_thumbs_v1(
            serve: { request, key, name, size, flags in
                guard let exchange = PluginExchange.answering(request.id) else { return ROOST_ESTALE }
                guard let key = key.text, let name = name.text, let size = size.text, flags <= ROOST_FILE_DOWNLOAD,
                    FileThumbsTable.isSize(size)
                else { return ROOST_EINVALID }
                guard exchange.plugin.isGranted(.files) else { return ROOST_EDENIED }
                let isDownload = flags & ROOST_FILE_DOWNLOAD != 0
                guard let serve = exchange.source.thumb(key, name: name, size: size, isDownload: isDownload) else {
                    return ROOST_ENOTFOUND
                }
                guard exchange.claimAnswer() else { return ROOST_ESTALE }
                serve()
                exchange.answered()
                return ROOST_OK
            }, reserved: 0)
    }

    /// Whether a text is `WxH`, perhaps with a mark: it becomes a part of a file's name.
    private static func isSize(_ text: String) -> Bool {
        var digits = text[...]
        if let last = digits.last, "tbf".contains(last) { digits = digits.dropLast() }
        let parts = digits.split(separator: "x", omittingEmptySubsequences: false)
        return text.utf8.count <= 32 && parts.count == 2
            && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    }
}
