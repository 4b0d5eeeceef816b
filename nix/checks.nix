# What `nix flake check` holds: the program runs, and a locked project comes out as its lock says, from here alone.
{ pkgs, agent-sync, lib }:
let
  project = ./template;
  outputs = lib.outputs { inherit pkgs; lockFile = project + "/agent-sync.lock"; root = project; };
in
{
  version = pkgs.runCommand "agent-sync-version" { } ''
    ${agent-sync}/bin/agent-sync --version > "$out"
  '';

  # The program writes what the library builds.
  outputs = pkgs.runCommand "agent-sync-outputs" { } ''
    cp -r ${project} project
    chmod -R u+w project
    cd project
    HOME=$PWD/home AGENT_SYNC_SOURCES='${builtins.toJSON (lib.sources { lockFile = project + "/agent-sync.lock"; root = project; })}' \
      ${agent-sync}/bin/agent-sync sync --frozen --offline --no-inherit
    for path in ${builtins.concatStringsSep " " (map (path: "'${path}'") (builtins.attrNames (lib.outputFiles (project + "/agent-sync.lock"))))}; do
      cmp "$path" "${outputs}/$path"
    done
    touch "$out"
  '';
}
