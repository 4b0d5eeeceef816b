# A development shell that writes the locked files on entry: offline, from the trees that Nix has, and never changing
# the lock. Where that fails it warns, with `strict` it does not open; AGENT_SYNC_NO_HOOK=1 leaves it out.
let
  inherit (import ./sources.nix) made sources;
  quoted = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
in
arguments@{
  pkgs,
  agent-sync,
  lockFile,
  cache ? null,
  root ? null,
  from ? if cache == null then "upstream" else "cache",
  args ? [ "--frozen" "--offline" ],
  strict ? false,
  packages ? [ ],
  shellHook ? "",
  ...
}:
let
  given = { inherit lockFile cache root from; };
  handed = builtins.toJSON (sources given // (if from == "upstream" then { } else made given));
  words = builtins.concatStringsSep " " (map quoted args);
  locked = builtins.path { path = lockFile; name = "agent-sync.lock"; };
  own = [ "pkgs" "agent-sync" "lockFile" "cache" "root" "from" "args" "strict" ];
in
pkgs.mkShell (removeAttrs arguments own // {
  packages = (if agent-sync == null then [ ] else [ agent-sync ]) ++ packages;
  shellHook = ''
    if [ -z "''${AGENT_SYNC_NO_HOOK:-}" ]; then
      agent_sync_enter() {
        local project=$PWD
        until cmp -s "$project/agent-sync.lock" ${locked}; do
          if [ -z "$project" ]; then
            echo "agent-sync: neither this directory nor one above has the lock that this shell was made from" >&2
            return 1
          fi
          project=''${project%/*}
        done
        ( cd "$project/" && AGENT_SYNC_SOURCES=${quoted handed} agent-sync sync ${words} >&2 )
      }
      if ! agent_sync_enter; then
        echo "agent-sync: the files for agents were not synced" >&2
        ${if strict then "exit 1" else ":"}
      fi
      unset -f agent_sync_enter
    fi
  '' + shellHook;
})
