# In place of nixpkgs: the few attributes that nix/ uses, made of the programs of this machine, without any download.
{
  outputs = _: {
    legacyPackages = builtins.listToAttrs (map (system: { name = system; value = import ./packages.nix system; })
      [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ]);
  };
}
