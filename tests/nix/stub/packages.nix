system:
let
  # Nix 2.8 kills a builder at the end of its log pipe: something must outlive it for a moment.
  run = name: environment: script: derivation ({
    inherit name system;
    builder = "/bin/bash";
    PATH = "/usr/local/bin:/usr/bin:/bin";
    args = [ "-euo" "pipefail" "-c" "${script}\nsleep 0.3 & exit 0" ];
  } // environment) // { meta = { }; };

  # `programs.nix`, which the test writes, says where Python and its libraries are.
  inherit (import ./programs.nix) python;

  application = arguments: run "${arguments.pname}-${arguments.version}" { inherit (arguments) src; } ''
    cp -r "$src" source
    chmod -R u+w source
    cd source
    ${python} -m hatchling build --target wheel --directory ../wheel
    ${python} -m zipfile -e ../wheel/*.whl "$out/lib"
    mkdir "$out/bin"
    printf '#!/bin/sh\nPYTHONPATH=%s exec %s -P -m agent_sync "$@"\n' "$out/lib" ${python} > "$out/bin/agent-sync"
    chmod +x "$out/bin/agent-sync"
  '';

  inherit (builtins.fromTOML (builtins.readFile ./pyproject.toml)) project;
  named = requirement: { name = builtins.head (builtins.match "([A-Za-z0-9._-]+).*" requirement); value = null; };

  packages = {
    inherit system;
    git = "/usr";
    gnumake = "/usr";
    python3 = "/usr";
    lib = {
      licenses.asl20 = "Apache-2.0";
      removePrefix = prefix: text: builtins.substring (builtins.stringLength prefix) (-1) text;
    };
    callPackage = file: arguments:
      let function = import file; in
      function (builtins.intersectAttrs (builtins.functionArgs function) packages // arguments);
    runCommand = run;
    mkShell = arguments: run "shell" (removeAttrs arguments [ "packages" ] // {
      PATH = builtins.concatStringsSep ":" (map (each: "${each}/bin") (arguments.packages or [ ] ++ [ "/usr" "" ]));
      outputs = [ "out" ];
    }) "mkdir $out";
    python3Packages = builtins.listToAttrs (map named project.dependencies) // {
      hatchling = null;
      buildPythonApplication = application;
    };
  };
in
packages
