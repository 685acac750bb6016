"""`seaformer-bundle --serve`: a web server for one folder, on this computer or its network."""
