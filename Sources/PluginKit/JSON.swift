// A plugin that imports PluginKit works with JSON all the time: it gets the module with it.
@_exported public import JSON
