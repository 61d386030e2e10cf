# What `cmake --install` puts where, and the Debian package of it (`./dev deb`).
#
# Everything stands relative to CMAKE_INSTALL_PREFIX in the places that GNUInstallDirs and the tools that
# read it expect, so DESTDIR and another prefix work; the unit and the configuration name the real paths.
include(GNUInstallDirs)
set(LEX_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd's units go")
set(LEX_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "Where zsh's completions go")
set(LEX_MAINTAINER "Lexecon maintainers <maintainers@lexecon.example>" CACHE STRING "Who the Debian package says made it")
option(LEX_GZIP "Compress manual pages and change log, as Debian wants it" OFF)

set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(here ${CMAKE_SOURCE_DIR}/deployment/packaging)
set(gen ${CMAKE_BINARY_DIR}/gen)
set(share ${CMAKE_INSTALL_DATADIR}/lexecon)
string(TIMESTAMP LEX_CHANGELOG_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)

# ---- programs ----

install(TARGETS lexecon lexecon-consumer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# ---- manual pages and completions: written by lex_mangen ----

install(CODE "
  foreach(section 1 5 8)
    file(GLOB pages \"${gen}/pages/man/*.\${section}\" \"${gen}/pages/man/*.\${section}.gz\")
    file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man\${section}\" TYPE FILE FILES \${pages})
  endforeach()")
install(DIRECTORY ${gen}/pages/completions/bash/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(DIRECTORY ${gen}/pages/completions/zsh/ DESTINATION ${LEX_ZSH_DIR})
install(DIRECTORY ${gen}/pages/completions/fish/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# ---- configuration and unit ----

# systemd makes this one whatever the prefix (StateDirectory=), and lets the service write nowhere else
set(LEX_STATE_DIR /var/lib/lexecon)
set(LEX_ETC_DIR ${CMAKE_INSTALL_FULL_SYSCONFDIR})
foreach(file lexecon.json README default)
  configure_file(${here}/etc/${file}.in ${gen}/etc/${file} @ONLY)
endforeach()
install(FILES ${gen}/etc/lexecon.json ${gen}/etc/README DESTINATION ${LEX_ETC_DIR}/lexecon)
install(FILES ${gen}/etc/default DESTINATION ${LEX_ETC_DIR}/default RENAME lexecon)

foreach(unit lexecon.service lexecon-audit.service)
  configure_file(${CMAKE_SOURCE_DIR}/deployment/systemd/${unit}.in ${gen}/systemd/${unit} @ONLY)
  install(FILES ${gen}/systemd/${unit} DESTINATION ${LEX_UNIT_DIR})
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/deployment/systemd/lexecon.sysusers DESTINATION lib/sysusers.d RENAME lexecon.conf)

# ---- what others read: policies, schemas, rules, dashboards ----

install(DIRECTORY policies/ DESTINATION ${share}/policies FILES_MATCHING PATTERN "*.json")
install(DIRECTORY schemas/ DESTINATION ${share}/schemas FILES_MATCHING
  PATTERN "*.avsc" PATTERN "asyncapi.yaml" PATTERN "mirror.sql" PATTERN "policy.schema.json"
  PATTERN "examples" EXCLUDE PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY deployment/prometheus/ DESTINATION ${share}/prometheus OPTIONAL FILES_MATCHING
  PATTERN "*.yml" PATTERN "tests" EXCLUDE)
install(DIRECTORY deployment/grafana/ DESTINATION ${share}/grafana OPTIONAL FILES_MATCHING
  PATTERN "*.json" PATTERN "*.yml")
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs OPTIONAL FILES_MATCHING PATTERN "*.md")

# ---- the Debian package ----

configure_file(${here}/debian/changelog.in ${gen}/debian/changelog @ONLY)
if(LEX_GZIP)
  execute_process(COMMAND gzip -9nf -k ${gen}/debian/changelog COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${gen}/debian/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME changelog.Debian.gz)
  install(FILES ${here}/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
  install(FILES ${here}/debian/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME lexecon)
else()
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lexecon)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT ${LEX_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "decision service for AI agents, with a verifiable ledger")
set(CPACK_PACKAGE_DESCRIPTION "Lexecon takes the requests of AI agents from Kafka, decides each
against a policy, and answers with signed verdicts. Every decision stands
in a hash-chained ledger that anyone can verify.
.
This package holds the service, the command of operators, auditors and
agents, the systemd units, policies, schemas, alert rules and dashboards.")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus, bash-completion")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${here}/debian/conffiles ${here}/debian/postinst
  ${here}/debian/prerm ${here}/debian/postrm)
include(CPack)
