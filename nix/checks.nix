# What `nix flake check` holds: the program runs, and it writes what the library builds from the same lock.
{ pkgs, agent-sync, lib }:
let
  project = ./template;
  locked = { lockFile = project + "/agent-sync.lock"; root = project; };
  handed = builtins.toJSON (lib.sources locked);
  outputs = lib.outputs (locked // { inherit pkgs; });
  compare = path: "cmp '${path}' '${outputs}/${path}'\n";
in
{
  version = pkgs.runCommand "agent-sync-version" { } ''
    ${agent-sync}/bin/agent-sync --version > "$out"
  '';

  outputs = pkgs.runCommand "agent-sync-outputs" { } ''
    cp -r ${project} project
    chmod -R u+w project
    cd project
    export HOME=$PWD/home
    AGENT_SYNC_SOURCES='${handed}' ${agent-sync}/bin/agent-sync sync --frozen --offline --no-inherit
    ${builtins.concatStringsSep "" (map compare (builtins.attrNames (lib.outputFiles locked.lockFile)))}
    touch "$out"
  '';
}
