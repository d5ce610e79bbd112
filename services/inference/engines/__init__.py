"""The engines that come with the studio, one package or file each.

Only their host processes run them; the service reads their manifests.
"""
