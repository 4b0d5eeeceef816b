# A module for home-manager: the files of locks, as links into the store, each below a directory of the home.
{ config, lib, pkgs, ... }:
let
  agentFiles = import ./lib.nix;
  settings = config.programs.agent-sync;

  # Only what was set: `from` and the others have their defaults in the library.
  argumentsOf = lock: lib.filterAttrs (_: value: value != null) { inherit (lock) lockFile cache root from; };

  linked = lock:
    let
      outputs = agentFiles.outputs (argumentsOf lock // { inherit pkgs; });
      place = path: if lock.directory == "" then path else "${lock.directory}/${path}";
      link = path: lib.nameValuePair (place path) { source = "${outputs}/${path}"; };
    in
    map link (builtins.attrNames (agentFiles.outputFiles lock.lockFile));

  option = type: default: description: lib.mkOption { inherit type default description; };
  optional = type: option (lib.types.nullOr type) null;
in
{
  options.programs.agent-sync = {
    enable = lib.mkEnableOption "files for coding agents, from locks of agent-sync";
    package = optional lib.types.package "agent-sync itself; null installs none.";
    locks = option (lib.types.attrsOf (lib.types.submodule {
      options = {
        lockFile = lib.mkOption { type = lib.types.path; description = "The agent-sync.lock."; };
        directory = option lib.types.str "" "Where in the home its outputs go: the home itself, or a directory in it.";
        cache = optional (lib.types.either lib.types.path lib.types.str) "As in lib.sources.";
        root = optional lib.types.path "As in lib.sources.";
        from = optional (lib.types.enum [ "cache" "upstream" "store" ]) "As in lib.sources.";
      };
    })) { } "The locks, by any names.";
  };

  config = lib.mkIf settings.enable {
    home.packages = lib.optional (settings.package != null) settings.package;
    home.file = lib.mkMerge (map (lock: builtins.listToAttrs (linked lock)) (builtins.attrValues settings.locks));
  };
}
