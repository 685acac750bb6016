"""The page that runs an exported model in a browser: TypeScript sources, and how they are built."""
