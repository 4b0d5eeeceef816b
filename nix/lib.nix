# The lock of agent-sync in Nix: pure, without nixpkgs unless `pkgs` is an argument, without import from derivation.
let
  lock = import ./lock.nix;
  trees = import ./sources.nix;
in
{
  # The value that the text of a lock spells. `fromYAML "agent-sync.lock" text`: the name is for messages.
  fromYAML = import ./yaml.nix;

  # The lock in a file.
  inherit (lock) readLock;

  # Name -> store path, for each source. { lockFile; cache ? null; root ? null; from ? "cache" or "upstream"; }
  inherit (trees) sources;

  # Path -> { sha256; executable; }, for each file that `agent-sync sync` would write.
  outputFiles = lockFile: lock.outputFiles (lock.readLock lockFile);

  # All of them as one store path. As for `sources`, and { pkgs; name ? "agent-files"; }
  outputs = import ./outputs.nix;

  # A development shell that syncs on entry. As for `sources`, and { pkgs; agent-sync; strict ? false; ... }
  mkShell = import ./mk-shell.nix;
}
