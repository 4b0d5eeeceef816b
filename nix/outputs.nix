# The outputs of a lock as one store path: what `agent-sync sync` would write, built from the lock and its trees alone.
let
  inherit (builtins) attrNames concatStringsSep filter length map replaceStrings toFile toString;
  inherit (import ./lock.nix) outputFiles pinOf placementsOf readLock removedOf renderedOf transformedOf;
  inherit (import ./sources.nix) made sources;

  quoted = text: "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  lines = list: concatStringsSep "" (map (line: "${line}\n") list);
in
arguments@{ pkgs, lockFile, name ? "agent-files", ... }:
let
  lock = readLock lockFile;
  files = outputFiles lock;
  paths = attrNames files;
  rendered = renderedOf lock;

  # The directory of the source's result, and what makes it; a source without transforms is placed as it is.
  layOut = { source, to, ... }:
    let
      pin = pinOf source;
      transformed = transformedOf source;
      found = (sources arguments).${source.name};
    in
    ''
      rm -rf result
      mkdir result
      ${if pin ? url then "cp ${found} result/${quoted pin.key}" else "cp -r ${found}/. result"}
      chmod -R u+w result
      while IFS= read -r key; do rm -f -- "result/$key"; done < ${toFile "removed" (lines (removedOf source))}
      ${if transformed == null then "" else "cp -rf ${(made arguments).${transformed.narHash}}/. result"}
      chmod -R u+w result
      find result -mindepth 1 -type d -empty -delete
      mkdir -p "$out"/${quoted to}
      cp -rf result/. "$out"/${quoted to}
    '';

  digests = toFile "digests" (lines (map (path: "${files.${path}.sha256}  ${path}") paths));
  programs = toFile "programs" (lines (filter (path: files.${path}.executable) paths));
in
pkgs.runCommand name { } ''
  mkdir -p "$out"
  ${concatStringsSep "\n" (map layOut (placementsOf lock))}
  ${if rendered == null then "" else "cp -rf ${(made arguments).${rendered.narHash}}/. \"$out\""}

  # Nothing but what the lock lists, and each file as it says.
  cd "$out"
  ${if paths == [ ] then "" else "sha256sum --check --strict --quiet ${digests}"}
  test "$(find . -type f | wc -l)" -eq ${toString (length paths)}
  find . -type f -perm -u+x | sed 's|^[.]/||' | LC_ALL=C sort | cmp - <(LC_ALL=C sort ${programs})
''
