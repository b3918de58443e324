@echo off
rem Registers a class of file systems with WinFsp's launcher, or removes it:
rem   fsreg NAME EXECUTABLE "COMMAND LINE WITH %1 .. %9" [SDDL]
rem   fsreg -u NAME
if "%~1"=="" goto usage
if "%~1"=="-u" goto remove
if "%~2"=="" goto usage
set key=HKLM\Software\WinFsp\Services\%~1
reg add "%key%" /v Executable /t REG_SZ /d "%~2" /f /reg:32 >nul
if errorlevel 1 goto failed
reg add "%key%" /v CommandLine /t REG_SZ /d "%~3" /f /reg:32 >nul
if errorlevel 1 goto failed
reg add "%key%" /v JobControl /t REG_DWORD /d 1 /f /reg:32 >nul
if errorlevel 1 goto failed
if "%~4"=="" goto done
reg add "%key%" /v Security /t REG_SZ /d "%~4" /f /reg:32 >nul
if errorlevel 1 goto failed
:done
exit /b 0

:remove
if "%~2"=="" goto usage
reg delete "HKLM\Software\WinFsp\Services\%~2" /f /reg:32 >nul
if errorlevel 1 goto failed
exit /b 0

:failed
echo fsreg: the registry cannot be changed; is this console an administrator's?
exit /b 1

:usage
echo usage: fsreg NAME EXECUTABLE "COMMAND LINE" [SDDL]
echo        fsreg -u NAME
exit /b 2
