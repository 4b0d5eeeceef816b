# agent-sync itself, from this directory. Its version and its dependencies stand in the Python project, and only there.
{ lib, python3Packages, git }:
let
  inherit (builtins) elem elemAt fromTOML head match readFile;
  root = ../.;
  inherit (fromTOML (readFile (root + "/pyproject.toml"))) project;

  # What the wheel is made of: another change does not build it anew.
  parts = [ "pyproject.toml" "README.md" "LICENSE" "agent_sync" "oci" ];
  isPart = path: _:
    let inside = match "([^/]+)(/.*)?" (lib.removePrefix "${toString root}/" path); in
    elem (head inside) parts && match ".*/__pycache__(/.*)?" path == null;

  nameOf = requirement: head (match "([A-Za-z0-9._-]+).*" requirement);
  library = requirement:
    let name = nameOf requirement; in
    python3Packages.${name} or (throw "agent-sync: this nixpkgs has no python3Packages.${name}");
in
python3Packages.buildPythonApplication {
  pname = "agent-sync";
  version = elemAt (match ".*__version__ = \"([^\"]+)\".*" (readFile (root + "/agent_sync/_version.py"))) 0;
  pyproject = true;
  src = builtins.path { path = root; name = "agent-sync-source"; filter = isPart; };

  build-system = [ python3Packages.hatchling ];
  dependencies = map library project.dependencies;
  pythonImportsCheck = [ "agent_sync" ];
  makeWrapperArgs = [ "--prefix" "PATH" ":" "${git}/bin" ];

  meta = {
    inherit (project) description;
    license = lib.licenses.asl20;
    mainProgram = "agent-sync";
  };
}
