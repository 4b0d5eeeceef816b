# What home-manager would do with the module: `lib` as far as the module needs it, and every `home.file` as a link.
{ pkgs, module, settings }:
let
  lib = {
    mkOption = option: option;
    mkEnableOption = _: { };
    mkIf = condition: value: if condition then value else { };
    mkMerge = values: builtins.foldl' (all: each: all // each) { } values;
    optional = condition: value: if condition then [ value ] else [ ];
    nameValuePair = name: value: { inherit name value; };
    filterAttrs = keep: set: removeAttrs set (builtins.filter (name: !keep name set.${name}) (builtins.attrNames set));
    types = {
      package = "package"; path = "path"; str = "str"; enum = _: "enum"; nullOr = _: "nullOr";
      either = _: _: "either"; attrsOf = _: "attrsOf"; submodule = _: "submodule";
    };
  };
  home = (import module { inherit lib pkgs; config.programs.agent-sync = settings; }).config.home;
  linked = path: ''
    mkdir -p "$(dirname "$out/${path}")"
    ln -s "${home.file.${path}.source}" "$out/${path}"
  '';
in
pkgs.runCommand "home" { } (builtins.concatStringsSep "" (map linked (builtins.attrNames home.file)))
